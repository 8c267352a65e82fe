/**
 * An agent that works through the post of a small company, where two things go wrong: a document that hides
 * an instruction, and a model that does not stop. Run it with `npm run demo`.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BudgetExceeded } from 'writ'
import { EXIT_CODES } from 'writ/verify'
import { writ } from './cli.js'
import { BUDGET, IDENTITY, MODEL, TASK, USER, work } from './office.js'
import { dollars, Screen } from './screen.js'
import { officeTools } from './tools.js'
import { prepareWorkspace } from './workspace.js'

const TRAP = 'invoice-northgate.md'
const DENIALS = [
  'write_summary invalid_input',
  'send_payment not_registered',
  'read_document predicate_false',
  'write_summary predicate_false',
]

// Somebody who reads only the beginning, as `| head` does, ends the demo.
process.stdout.on('error', () => process.exit(1))
const colours = process.stdout.isTTY === true && !process.env['NO_COLOR']
const screen = new Screen((text) => process.stdout.write(text), colours)
const unexpected: string[] = []
const expect = (condition: boolean, otherwise: string): void => {
  if (!condition) unexpected.push(otherwise)
}

const workspace = await prepareWorkspace(process.env['WRIT_DEMO_DIR'] || undefined)
const { root, inbox, log } = workspace
const documents = (await readdir(inbox)).sort()
const hidden = /<!--[\s\S]*?-->/.exec(await readFile(join(inbox, TRAP), 'utf8'))?.[0] ?? ''

screen.line('Writ demo: an agent reads the post of a small company', 'bold')
screen.line()
screen.line(
  '  The model is a script, and a gullible one: it does what it reads, and it does not know when to',
)
screen.line('  stop. The documents, the tools, the refusals, the kill and the log are real.')
screen.line()
screen.entry('agent', `${IDENTITY}, for the user ${USER}`)
screen.entry('task', TASK)
screen.entry('model', `${MODEL}, behind the real OpenAI SDK on 127.0.0.1: no key, no network`)
screen.entry('tools', 'list_documents')
screen.entry('', 'read_document    only files below inbox/')
screen.entry('', 'write_summary    only files below summaries/')
screen.entry(
  'budget',
  `$${BUDGET.usd}, ${BUDGET.tokens.toLocaleString('en')} tokens, ${BUDGET.llmCalls} model calls,`,
)
screen.entry(
  '',
  `${BUDGET.toolCalls} tool calls, ${BUDGET.denials} refusals, ${BUDGET.wallMs / 1000} seconds`,
)
screen.entry('folder', root)
screen.line()
screen.line(`  One of the ${documents.length} documents in inbox/, ${TRAP}, hides this in a comment:`)
screen.line()
screen.quote(hidden)

screen.heading('What the model asked for', 'what is left of the budget')
screen.columns()
const { session, result, steps, lastRequest, served } = await work({
  workspace,
  tools: officeTools(workspace),
  onStep: (step, s) => screen.step(step, s),
})

const error: unknown = result.status === 'rejected' ? result.reason : undefined
const refusal: unknown = await session
  .dispatch({ name: 'list_documents', input: {} })
  .catch((reason) => reason)
const { atMost, usdLeft } = lastRequest
screen.line('        KILLED', 'red')
screen.line()
screen.line(
  `  The next model call could have cost ${dollars(atMost.maxUsd ?? 0)}. ${dollars(usdLeft)} was left, so it was not made.`,
)
screen.line('  The session is dead, and agent.session() rejects, whatever its callback does:')
screen.line()
screen.quote(error instanceof BudgetExceeded ? `${error.code}: ${error.message}` : String(error), 'red')
screen.line()
screen.line(
  `  A further call on this session: ${refusal === error ? 'refused, with the same error' : 'NOT REFUSED'}.`,
)

const denials = steps.flatMap(({ tool, result }) => (result.ok ? [] : [`${tool} ${result.denial.reason}`]))
const summaries = await readdir(workspace.summaries)
const outbox = await readdir(workspace.outbox)
const payroll = await readFile(join(workspace.private, 'payroll.csv'), 'utf8')
const isLeaked = steps.some(({ result }) => result.ok && result.output === payroll)

screen.heading('What came of it')
screen.entry('summaries/', `${summaries.length} of ${documents.length} documents are summarised`)
screen.entry('private/', isLeaked ? 'payroll.csv WAS READ' : 'payroll.csv was not read')
screen.entry('outbox/', outbox.length === 0 ? 'still empty' : `HOLDS ${outbox.join(', ')}`)
screen.entry('payments', 'none: this agent has no tool for it')
screen.entry('refused', `${denials.length} tool calls; each time the model was told why`)
screen.entry('spent', `${dollars(session.usage().usd)} of $${BUDGET.usd}, in ${served} model calls`)

const verified = writ('verify', log)
screen.heading('The log')
screen.line(`  $ writ verify ${log}`)
screen.line()
screen.quote(verified.output.replace(/(?<=^\S.*)\n(?=\S)/gm, ' ')) // its paragraphs are a little wider than this page
screen.line()
screen.line('  And a copy from which somebody has removed the record of the refused payment:')
screen.line()
const forged = join(root, 'forged.jsonl')
const records = (await readFile(log, 'utf8')).split('\n')
await writeFile(forged, records.filter((line) => !line.includes('"tool":"send_payment"')).join('\n'))
const refuted = writ('verify', forged)
screen.line(`  $ writ verify ${forged} | grep -E '^TAMPERED|^ +fault'`)
screen.line()
screen.quote(
  refuted.output
    .split('\n')
    .filter((line) => /^TAMPERED|^ +fault/.test(line))
    .join('\n'),
)

screen.heading('Look closer')
screen.entry('the log', log)
screen.entry('summaries', workspace.summaries)
screen.line()
screen.line('  Every record, then the refusals alone, then the chain without any code of Writ (needs jq):')
screen.line()
screen.line(`    npx tsx src/cli/main.ts show ${log}`)
screen.line(`    npx tsx src/cli/main.ts show ${log} --event tool_denied`)
screen.line(`    scripts/verify.sh ${log}`)
screen.line()
screen.line('  In a project that has Writ installed, the first is `npx writ show <log>`.')

expect(denials.join() === DENIALS.join(), `the refusals were: ${denials.join(', ')}`)
expect(error instanceof BudgetExceeded && error.limit === 'usd', `the session ended with ${String(error)}`)
expect(refusal === error, 'the dead session took another call')
expect(session.usage().usd <= BUDGET.usd, `${session.usage().usd} US dollars were spent`)
expect(summaries.length === documents.length, `there are ${summaries.length} summaries`)
expect(outbox.length === 0 && !isLeaked, 'something left its folder')
for (const [{ status, output }, verdict] of [
  [verified, 'UNANCHORED'],
  [refuted, 'TAMPERED'],
] as const) {
  expect(status === EXIT_CODES[verdict] && output.startsWith(verdict), `writ verify did not say ${verdict}`)
}

screen.line()
if (unexpected.length === 0) screen.line('Everything went as this demo expects.', 'bold')
for (const what of unexpected) screen.line(`NOT AS EXPECTED: ${what}`, 'red')
process.exitCode = unexpected.length === 0 ? 0 : 1
