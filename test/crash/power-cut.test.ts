import { describe, expect, test } from 'vitest'
import { Agent, defineTool, type FileSinkOptions } from 'writ'
import { verifyLog } from 'writ/verify'
import { fileSink } from '../../src/sinks/file.js'
import { anything } from '../support/tools.js'
import { crashStates, type Files, type Instant, VolatileDisk } from '../support/volatile-disk.js'
import { KEY } from '../support/written-logs.js'

const PATH = '/disk/audit.jsonl'
const decoder = new TextDecoder()

/** What had happened when the disk was as it was. */
interface Moment {
  readonly instant: Instant
  /** Calls whose tool had begun: their records had been promised to be stored. */
  readonly begun: readonly string[]
}

interface Scenario {
  readonly name: string
  readonly options: FileSinkOptions
  readonly calls: number
  /** Characters that each call adds to the log. */
  readonly padding: number
  /** Every so many bytes, a prefix. */
  readonly step: number
}

const SCENARIOS: readonly Scenario[] = [
  { name: 'a log', options: {}, calls: 2, padding: 0, step: 1 },
  { name: 'a log of large records', options: {}, calls: 3, padding: 9000, step: 997 },
  {
    name: 'a signed log',
    options: { signing: { key: KEY.encode(), everyRecords: 2 } },
    calls: 2,
    padding: 0,
    step: 41,
  },
  {
    name: 'a signed log that goes on in new files',
    options: {
      signing: { key: KEY.encode(), everyRecords: 3 },
      rotation: { maxBytes: 65_536 },
    },
    calls: 9,
    padding: 25_000,
    step: 9973,
  },
]

function agentOn(disk: VolatileDisk, scenario: Scenario, begun: string[] = []): Agent {
  const act = defineTool({
    inputSchema: anything,
    redact: () => 'x'.repeat(scenario.padding),
    execute: (_, { callId }) => void begun.push(callId),
  })
  const audit = fileSink(PATH, scenario.options, disk.io)
  return new Agent({
    identity: 'test-bot/v1',
    budget: { depth: 5 },
    tools: { act },
    audit,
  }) as unknown as Agent
}

/** Runs the scenario on a disk, and keeps what the disk was after every call that changed it. */
async function momentsOf(scenario: Scenario, files?: Files): Promise<Moment[]> {
  const disk = new VolatileDisk(files)
  const moments: Moment[] = []
  const begun: string[] = []
  disk.onChange = (call) => moments.push({ instant: disk.instant(call), begun: [...begun] })
  const agent = agentOn(disk, scenario, begun)
  await agent.session('alice', async (s) => {
    for (let call = 0; call < scenario.calls; call++) await s.callTool('act' as never, {} as never)
  })
  await agent.close()
  return moments
}

/** The files of the log, in their order. */
function filesOf(files: Files): Uint8Array[] {
  const finished = [...files.keys()].filter((name) => /\.\d{12}\.jsonl$/.test(name)).sort()
  return [...finished, PATH].map((name) => files.get(name) as Uint8Array)
}

/** A log that a power cut left can be gone on with, and holds what was promised. */
async function expectSurvival(files: Files, scenario: Scenario, begun: readonly string[]): Promise<Files> {
  const disk = new VolatileDisk(files)
  await agentOn(disk, scenario).close()
  const log = Buffer.concat(filesOf(disk.files))
  const text = decoder.decode(log)
  const lost = begun.filter((callId) => !text.includes(`"payload":{"call_id":"${callId}","tool"`))
  expect(lost).toEqual([])
  const { verdict } = await verifyLog(log)
  expect(verdict).toBe('UNANCHORED')
  return disk.files
}

describe.each(SCENARIOS)('$name, whenever the power is cut, and whatever the disk had got to', (scenario) => {
  test('can be gone on with and has every record that a tool ran on', async () => {
    let states = 0
    for (const { instant, begun } of await momentsOf(scenario)) {
      for (const files of crashStates(instant, PATH, scenario.step)) {
        states += 1
        await expectSurvival(files, scenario, begun)
      }
    }
    expect(states).toBeGreaterThan(100)
  }, 120_000)

  test('also when the power is cut again while it is opened', async () => {
    const moments = await momentsOf(scenario)
    const first = moments.filter(({ instant }) => instant.call === 'write').at(3) as Moment
    let states = 0
    for (const files of crashStates(first.instant, PATH, Math.max(173, scenario.step))) {
      const disk = new VolatileDisk(files)
      const instants: Instant[] = []
      disk.onChange = (call) => instants.push(disk.instant(call))
      await agentOn(disk, scenario).close()
      for (const instant of instants) {
        for (const again of crashStates(instant, PATH, 997)) {
          states += 1
          await expectSurvival(again, scenario, first.begun)
        }
      }
    }
    expect(states).toBeGreaterThan(100)
  }, 120_000)
})
