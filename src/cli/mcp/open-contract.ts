import { dirname, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Contract } from '../../adapters/mcp/contract-file/contract.js'
import { type ContractAgent, contractAgent } from '../../adapters/mcp/contract-file/contract-agent.js'
import { ContractInvalid } from '../../adapters/mcp/contract-file/contract-invalid.js'
import { parseContract } from '../../adapters/mcp/contract-file/parse-contract.js'
import { mcpTool } from '../../adapters/mcp/mcp-tool.js'
import { Agent, AuditLocked, WritError } from '../../index.js'
import { type CliIo, CommandFailed, EXIT, LogUnreadable } from '../cli-io.js'

/** More than any contract that people write. */
const MAX_BYTES = 16 * 1024 * 1024

/** A client that starts its server anew does not wait until the one before has left its log. */
const LOCKED_MS = 3000
const LOCKED_RETRY_MS = 100

/** A contract file, and the agent that enforces it. */
export interface OpenContract {
  readonly contract: Contract
  readonly agent: Agent
  /** The log, as a path for people. */
  readonly log: string
  readonly serverNames: ContractAgent['serverNames']
  readonly pins: string | undefined
}

/**
 * Reads a contract file.
 *
 * @throws {@link CommandFailed} saying everything that is wrong with it.
 */
export function readContract(path: string, io: CliIo): Contract {
  return explained(path, () => {
    const bytes = io.readEnd(path, MAX_BYTES)
    if (bytes === undefined) {
      throw new CommandFailed(
        EXIT.contract,
        `${path}: there is no such file. Make one with writ mcp init, or name it with --config.`,
      )
    }
    return parseContract(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  })
}

/**
 * Reads a contract file and opens the log that it names.
 *
 * @throws {@link CommandFailed} for a contract that cannot be used, and for a log that cannot be written.
 */
export async function openContract(path: string, io: CliIo): Promise<OpenContract> {
  const contract = readContract(path, io)
  if (contract.approvals?.mode === 'retry') {
    throw new CommandFailed(
      EXIT.contract,
      `${path}: /approvals/mode: "retry" is not in this version; use "wait".`,
    )
  }
  const folder = dirname(resolve(path))
  const open = (): OpenContract => {
    const { agentOptions, serverNames, pins } = contractAgent(contract, {
      folder,
      env: io.env,
      tool: mcpTool,
    })
    const agent = new Agent(agentOptions)
    return { contract, agent, log: resolve(folder, contract.audit.file), serverNames, pins }
  }
  const untilMs = io.monotonicMs() + LOCKED_MS
  for (;;) {
    try {
      return explained(path, open)
    } catch (error) {
      const isLocked = (error as CommandFailed).cause instanceof AuditLocked
      if (!isLocked || io.monotonicMs() >= untilMs) throw error
    }
    await wait(LOCKED_RETRY_MS)
  }
}

function explained<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof ContractInvalid)
      throw new CommandFailed(EXIT.contract, `${path}:\n${cause.message}`, { cause })
    if (cause instanceof LogUnreadable) throw new CommandFailed(EXIT.contract, cause.message, { cause })
    if (WritError.isInstance(cause))
      throw new CommandFailed(EXIT.contract, `${path}: ${cause.message} (${cause.code})`, { cause })
    if (cause instanceof TypeError || cause instanceof RangeError)
      throw new CommandFailed(EXIT.contract, `${path}: ${cause.message}`, { cause })
    throw cause
  }
}
