import type { ChainReport, Finding, VerifyReport } from '../verify.js'
import { ageText } from './age.js'
import type { LogFiles } from './log-files.js'
import type { LogFormat } from './log-format.js'
import { safeText } from './safe-text.js'
import { advice, headline } from './verdict-text.js'

type Row = [name: string, value: string]

/** Names of files that are listed one by one. */
const MAX_FILES = 5
const MAX_IDS = 3

const nameOf = (path: string): string => (path === '-' ? 'standard input' : safeText(path))

function chainRows(path: string, { size, bytes, head, logId, fault }: ChainReport): Row[] {
  const rows: Row[] = [
    ['log', nameOf(path)],
    ['records', `${size}${fault === undefined ? '' : ' before the fault'}`],
    ['bytes', String(bytes)],
  ]
  if (head !== undefined) rows.push(['head', head])
  if (logId !== undefined) rows.push(['log id', safeText(logId)])
  return rows
}

function faultRows({ fault }: ChainReport): Row[] {
  return fault === undefined
    ? []
    : [['fault', `record ${fault.seq}, at byte ${fault.offset}: ${fault.detail}`]]
}

function page(title: string, rows: readonly Row[], next: readonly string[]): string {
  const end = next.length === 0 ? [] : ['', ...next]
  return [title, '', ...rows.map(([name, value]) => `  ${name.padEnd(9)}${value}`), ...end, ''].join('\n')
}

/** What is said of a log of any kind. */
export function chainText(path: string, format: LogFormat, report: ChainReport): string {
  const covered: Row = ['covered', 'no record is covered by anything outside the log']
  const rows = [...chainRows(path, report), covered, ...faultRows(report)]
  return page(format.headline(report), rows, format.advice(report))
}

/** What is said of a log of Writ's. */
export function reportText(files: LogFiles, report: VerifyReport, nowMs: number): string {
  const rows = chainRows(files.path, report)
  if (files.files.length > 1) rows.splice(1, 0, ['files', filesText(files.files)])
  if (report.first > 0) rows.push(['first', `record ${report.first}: what was before it is not there`])
  rows.push(...coverRows(report, nowMs), ...faultRows(report))
  for (const { size, outcome, assurance, detail } of report.checkpoints) {
    // What cannot be checked breaks nothing: it is among the findings.
    if (outcome === 'holds' || outcome === 'unchecked') continue
    const what = assurance === 'signed' ? 'a signed checkpoint' : 'what was kept elsewhere'
    rows.push([
      'broken',
      `${what}, of ${size} records: ${WORDS[outcome]}${detail === undefined ? '' : `: ${detail}`}`,
    ])
  }
  rows.push(...report.findings.map((finding): Row => ['finding', findingText(finding)]))
  return page(headline(report, nowMs), rows, advice(report))
}

/** Findings whose detail says what is the matter with one. */
const OF_CHECKPOINTS = /^(?:checkpoint|unchecked)/

const WORDS = {
  rewritten: 'the log was another one then',
  truncated: 'the log is shorter',
  out_of_time: 'not believed, because its key was not good at the time of its last record',
} as const

function filesText(files: readonly string[]): string {
  const names = files.map(nameOf)
  if (names.length <= MAX_FILES) return names.join(', ')
  return `${names.length}: ${names.slice(0, MAX_FILES - 2).join(', ')}, …, ${names.at(-1)}`
}

function coverRows({ first, covered, anchored, uncovered, checkpoints }: VerifyReport, nowMs: number): Row[] {
  const { records, since } = uncovered
  const when = since === undefined ? '' : `; the oldest is of ${safeText(since)}${old(since, nowMs)}`
  if (covered === 0) return [['covered', `no record is covered by anything outside the log${when}`]]
  const rows: Row[] = []
  if (anchored > 0) rows.push(['covered', `${range(first, anchored)}, by what was kept elsewhere`])
  if (covered > anchored) {
    const from = Math.max(first, anchored)
    const signed = checkpoints.find(({ outcome, size }) => outcome === 'holds' && size === covered)
    const who = (signed?.keys ?? []).map(safeText).join(' and ')
    rows.push(['covered', `${range(from, covered)}, by a checkpoint that ${who} signed`])
  }
  rows.push([
    'not',
    records === 0 ? 'every record is covered' : `${range(covered, covered + records)}, by nothing${when}`,
  ])
  return rows
}

const range = (from: number, end: number): string =>
  end - from === 1 ? `record ${from}` : `records ${from} to ${end - 1}`

function old(since: string, nowMs: number): string {
  const ageMs = nowMs - Date.parse(since)
  return Number.isNaN(ageMs) ? '' : `, ${ageText(ageMs)} ago`
}

/** A finding in words that are safe to print. */
export function findingText({ kind, count, seq, ids, detail }: Finding): string {
  const at = seq === undefined ? '' : ` (from record ${seq} on)`
  const more = ids === undefined || ids.length <= MAX_IDS ? '' : ', …'
  const which = ids === undefined ? '' : `: ${ids.slice(0, MAX_IDS).map(safeText).join(', ')}${more}`
  const how = count === 1 ? '' : OF_CHECKPOINTS.test(kind) ? `${count} of them: ` : `${count} `
  return `${kind}: ${how}${safeText(detail)}${which}${at}`
}
