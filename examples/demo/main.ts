/**
 * An agent that works through the post of a small company, with everything that can go wrong going wrong:
 * a hidden instruction in a document, and a model that does not stop. Run it with `npm run demo`.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { BudgetExceeded } from 'writ'
import { EXIT_CODES } from 'writ/verify'
import { writ } from './cli.js'
import { BUDGET, IDENTITY, MODEL, TASK, USER, work } from './office.js'
import { dollars, Screen } from './screen.js'
import { officeTools } from './tools.js'
import { prepareWorkspace } from './workspace.js'

const EXPECTED_DENIALS = [
  'write_summary invalid_input',
  'send_payment not_registered',
  'read_document predicate_false',
  'write_summary predicate_false',
]

const colours = process.stdout.isTTY === true && !process.env['NO_COLOR']
const screen = new Screen((text) => process.stdout.write(text), colours)
const unexpected: string[] = []
const expect = (condition: boolean, what: string): void => {
  if (!condition) unexpected.push(what)
}

const workspace = await prepareWorkspace(process.env['WRIT_DEMO_DIR'] || undefined)
const documents = (await readdir(workspace.inbox)).sort()
const invoice = await readFile(join(workspace.inbox, 'invoice-northgate.md'), 'utf8')

screen.line('Writ demo: an agent reads the post of a small company', 'bold')
screen.line()
screen.entry('agent', IDENTITY)
screen.entry('user', USER)
screen.entry('task', TASK)
screen.entry('model', `${MODEL}: a script behind the real OpenAI SDK, on 127.0.0.1; no network, no key`)
screen.entry('tools', 'list_documents')
screen.entry('', 'read_document    only below inbox/')
screen.entry('', 'write_summary    only below summaries/')
screen.entry('budget', `${dollars(BUDGET.usd)}, ${BUDGET.tokens.toLocaleString('en')} tokens, ${BUDGET.toolCalls} tool calls, ${BUDGET.llmCalls} model calls,`)
screen.entry('', `${BUDGET.denials} refusals, ${BUDGET.wallMs / 1000} seconds`)
screen.entry('folder', workspace.root)
screen.line()
screen.line(`  One of the ${documents.length} documents in inbox/, invoice-northgate.md, hides this in a comment:`)
screen.quote(/<!--[^]*?-->/.exec(invoice)?.[0] ?? '(nothing)')

screen.heading('What the model asked for')
screen.line('  On the right: what is left of the budget after that call.', 'dim')
screen.columns()
const { session, result, steps, lastRequest, served } = await work({
  workspace,
  tools: officeTools(workspace),
  onStep: (step, s) => screen.step(step, s),
})

const error: unknown = result.status === 'rejected' ? result.reason : undefined
screen.line('        the session is killed', 'red')
screen.line()
screen.line(`  The next model call could have cost ${dollars(lastRequest.atMost.maxUsd ?? 0)}, and ${dollars(lastRequest.usdLeft)} is left. So it was not made,`)
screen.line('  and agent.session() rejects, whatever its callback does:')
screen.line(`    ${error instanceof BudgetExceeded ? `${error.name} (${error.code}): ${error.message}` : String(error)}`)
screen.line('  A further call of a tool on this session:')
const later: unknown = await session.dispatch({ name: 'list_documents', input: {} }).catch((reason: unknown) => reason)
screen.line(`    ${later === error ? 'refused, with the same error' : JSON.stringify(later)}`)

const denials = steps.flatMap(({ tool, result }) => (result.ok ? [] : [`${tool} ${result.denial.reason}`]))
const summaries = await readdir(workspace.summaries)
const outbox = await readdir(workspace.outbox)
const payroll = await readFile(join(workspace.private, 'payroll.csv'), 'utf8')
const leaked = steps.some(({ result }) => result.ok && result.output === payroll)

screen.heading('What came of it')
screen.entry('summaries/', `${summaries.length} of ${documents.length} documents summarised`)
screen.entry('private/', leaked ? 'payroll.csv WAS READ' : 'payroll.csv was not read')
screen.entry('outbox/', outbox.length === 0 ? 'empty: nothing was written outside summaries/' : outbox.join(', '))
screen.entry('payment', 'none: this agent has no tool for it')
screen.entry('refused', `${denials.length} tool calls; the model was told why each time`)
screen.entry('spent', `${dollars(session.usage().usd)} of ${dollars(BUDGET.usd)}, in ${served} model calls`)

const log = relative(process.cwd(), workspace.log).startsWith('..') ? workspace.log : relative(process.cwd(), workspace.log)
const verified = writ('verify', log)
screen.heading('The log')
screen.line(`  $ writ verify ${log}`)
screen.quote(verified.output)
screen.line()
screen.line('  UNANCHORED is the best a log can be on its own: every hash, link and number in it holds, but')
screen.line('  nothing outside the log vouches for its end. A copy without the record of the refused payment:')
const forged = join(workspace.root, 'forged.jsonl')
const lines = (await readFile(workspace.log, 'utf8')).split('\n')
await writeFile(forged, lines.filter((line) => !line.includes('"tool":"send_payment"')).join('\n'))
const refuted = writ('verify', forged)
screen.line()
screen.line(`  $ writ verify ${forged}`)
screen.quote(refuted.output)

screen.heading('Look closer')
screen.line(`  The log:        ${log}`)
screen.line(`  The summaries:  ${workspace.summaries}`)
screen.line()
screen.line('  Try next, in this folder:')
for (const [command, what] of [
  [`show ${log}`, 'every record, readable'],
  [`show ${log} --event tool_denied`, 'what was refused'],
  [`verify ${log} --json`, 'for machines'],
]) {
  screen.line(`    npx tsx src/cli/main.ts ${command}    # ${what}`)
}
screen.line('  In a project that has Writ installed it is `npx writ show` and `npx writ verify`.')

expect(denials.join() === EXPECTED_DENIALS.join(), `the refusals were ${denials.join(', ')}`)
expect(error instanceof BudgetExceeded && error.limit === 'usd', `the session ended with ${String(error)}`)
expect(later === error, 'the dead session took another call')
expect(session.usage().usd <= BUDGET.usd, `${session.usage().usd} US dollars were spent`)
expect(summaries.length === documents.length, `there are ${summaries.length} summaries`)
expect(outbox.length === 0 && !leaked, 'something left its folder')
expect(verified.status === EXIT_CODES.UNANCHORED, `writ verify ended with ${verified.status}`)
expect(refuted.status === EXIT_CODES.TAMPERED, `writ verify of the forged log ended with ${refuted.status}`)

screen.line()
if (unexpected.length === 0) {
  screen.line('Everything went as this demo expects.', 'bold')
} else {
  for (const what of unexpected) screen.line(`NOT AS EXPECTED: ${what}`, 'red')
  process.exitCode = 1
}
