import { readdir, readFile, writeFile } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { defineTool } from 'writ'
import * as z from 'zod'
import type { Workspace } from './workspace.js'

/** True for a path that lies below `folder`, which holds no symbolic links: only this program writes there. */
const isBelow = (folder: string, path: string): boolean => resolve(folder, path).startsWith(folder + sep)

/** The tools of the office assistant. What is not here, it does not have. */
export function officeTools({ inbox, summaries }: Workspace) {
  // #region tools
  const list_documents = defineTool({
    description: 'List the documents in the inbox.',
    inputSchema: z.object({}),
    readOnly: true,
    execute: async () => (await readdir(inbox)).sort(),
  })

  const read_document = defineTool({
    description: 'Read one document of the inbox.',
    inputSchema: z.object({ document: z.string().min(1).max(200) }),
    when: ({ document }) => isBelow(inbox, document),
    redact: ({ document }) => ({ document }),
    readOnly: true,
    execute: ({ document }, { signal }) => readFile(resolve(inbox, document), { encoding: 'utf8', signal }),
  })

  const write_summary = defineTool({
    description: 'Save the summary of a document.',
    inputSchema: z.object({
      file: z.string().min(1).max(200),
      priority: z.enum(['low', 'normal', 'high']),
      text: z.string().max(2_000),
    }),
    when: ({ file }) => isBelow(summaries, file),
    redact: ({ file, priority }) => ({ file, priority }),
    execute: async ({ file, priority, text }, { signal }) => {
      await writeFile(resolve(summaries, file), `Priority: ${priority}\n\n${text}\n`, { signal })
      return `saved ${file}`
    },
  })
  // #endregion tools

  return { list_documents, read_document, write_summary }
}
