import { deny } from '../contract/decision.js'
import type { RegisteredTool } from '../contract/registry.js'
import type { CallRecord } from './call-record.js'
import type { SessionCore } from './core.js'
import { type Permit, type Refusal, refuse } from './decide.js'
import { countGrants, wornOutGrant } from './grants.js'

/** Counts the call, or says why it may not run. A limit of the session that is used up kills it. */
export function countCall(core: SessionCore, record: CallRecord, permit: Permit): Refusal | undefined {
  const { tool, input } = permit
  if (isWornOut(core, tool)) return refuse(deny(tool.name, 'max_calls'), tool, input, true)
  const wornOut = core.grantor === undefined ? undefined : wornOutGrant(core, permit)
  if (wornOut !== undefined) return wornOut
  const breach = core.meter.count('toolCalls')
  if (breach !== undefined) {
    record.denied(refuseFull(permit), 'budget_exceeded')
    throw core.kill(breach)
  }
  if (tool.maxCalls !== undefined) {
    core.toolCalls ??= new Map()
    core.toolCalls.set(tool.name, callsOf(core, tool) + 1)
  }
  if (core.grantor !== undefined) countGrants(core, tool.name)
  return undefined
}

/** There is no room for the call. */
export function refuseFull({ tool, input }: Permit): Refusal {
  return refuse(deny(tool.name, 'budget_exceeded'), tool, input, true)
}

/** True when another call of this tool would be within every limit on counts. */
export function hasRoom(core: SessionCore, permit: Permit): boolean {
  return (
    !isWornOut(core, permit.tool) &&
    wornOutGrant(core, permit) === undefined &&
    core.meter.countLeft('toolCalls') > 0
  )
}

function callsOf(core: SessionCore, tool: RegisteredTool): number {
  return core.toolCalls?.get(tool.name) ?? 0
}

export function isWornOut(core: SessionCore, tool: RegisteredTool): boolean {
  return tool.maxCalls !== undefined && callsOf(core, tool) >= tool.maxCalls
}
