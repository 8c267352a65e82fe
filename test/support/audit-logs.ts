/// <reference lib="es2023.array" />
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { Agent, type AgentOptions, defineTool, type EventName, type StandardSchema, type Tool } from 'writ'
import { GENESIS, SEAL_LENGTH, seal } from '../../src/audit/record.js'
import { sha256Hex } from '../../src/core/digest.js'

const encoder = new TextEncoder()

export const bytesOf = (text: string): Uint8Array => encoder.encode(text)

/** A folder of its own for one test, gone when the test is over. */
export function temporaryFolder(parent: string = tmpdir()): string {
  const folder = mkdtempSync(join(parent, 'writ-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** As {@link temporaryFolder}, in memory where the system offers that: for tests that synchronise thousands of times. */
export function fastFolder(): string {
  return temporaryFolder(existsSync('/dev/shm') ? '/dev/shm' : tmpdir())
}

/** What a chain of records is made of; everything has a default. */
export interface LineParts {
  readonly event?: string
  readonly payload?: string
  /** Members between `log_id` and `event`, each with its comma. */
  readonly session?: string
  readonly budget?: string
  readonly synced?: number
  readonly ts?: string
}

export const LOG_ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV'

/** Lines that form a sound chain from the first on, without their LF. */
export function chain(parts: readonly LineParts[]): string[] {
  let prevHash = GENESIS
  return parts.map((part, seq) => {
    const { event = 'session_start', payload = '{"depth":0}', session = '', budget = '', synced = -1 } = part
    const { ts = `2026-01-01T00:00:${String(seq % 60).padStart(2, '0')}.000Z` } = part
    const envelope = `"log_id":"${LOG_ID}",${session}`
    const record = seal({ seq, synced, ts, envelope, event: event as EventName, payload, budget, prevHash })
    prevHash = record.hash
    return record.line
  })
}

/** The lines as a file holds them. */
export function fileOf(lines: readonly string[]): Uint8Array {
  return bytesOf(lines.map((line) => `${line}\n`).join(''))
}

/** The lines with their hashes and links formed anew: what somebody can do who has nothing but the log. */
export function rewritten(lines: readonly string[]): string[] {
  let prevHash = GENESIS
  return lines.map((line) => {
    const body = line
      .slice(0, -SEAL_LENGTH)
      .replace(/"prev_hash":"[0-9a-f]{64}"$/, `"prev_hash":"${prevHash}"`)
    prevHash = sha256Hex(body)
    return `${body},"hash":"${prevHash}"}`
  })
}

/** Bytes in pieces of one size. */
export function* piecesOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/** A schema that takes everything. */
const anything: StandardSchema = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) },
}

/** A tool that does nothing but say that it ran. */
export function toolThat(execute: (callId: string) => unknown, redact?: () => unknown): Tool {
  return defineTool({
    inputSchema: anything,
    ...(redact === undefined ? {} : { redact }),
    execute: (_, { callId }) => execute(callId),
  }) as Tool
}

/** An agent with one tool, `act`, on this sink. */
export function agentOn(
  audit: AgentOptions['audit'],
  act: Tool = toolThat(() => 'done'),
  options: Partial<AgentOptions> = {},
): Agent<{ act: Tool }> {
  return new Agent({
    identity: 'test-bot/v1',
    budget: { toolCalls: 1000 },
    audit,
    ...options,
    tools: { act },
  })
}
