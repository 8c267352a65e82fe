import type { Budget } from '../../../index.js'

/** What the contract file says of one tool. */
export interface ToolContract {
  /** Rules by the name of the argument; `undefined` where all arguments are allowed. */
  readonly arguments: ArgumentRules | undefined
  readonly approval: 'always' | undefined
  readonly maxCalls: number | undefined
  readonly timeoutMs: number | undefined
  readonly readOnly: boolean
  /** Arguments whose values are shown in the log and to an approver; `true` for all. */
  readonly show: boolean | readonly string[]
}

/** What may be among the arguments. An argument that is not named is refused, unless `others` lets it in. */
export interface ArgumentRules {
  readonly named: ReadonlyMap<string, ContractRule>
  readonly others: ContractRule
}

/** What holds of one argument: anything, that it is absent, or everything that is said here. */
export type ContractRule = boolean | RuleData

export interface RuleData {
  /** True where the argument may be left out. */
  readonly optional: boolean
  readonly equals: { readonly value: unknown } | undefined
  readonly oneOf: readonly unknown[] | undefined
  readonly range: readonly [min: number, max: number] | undefined
  readonly glob: readonly string[] | undefined
  readonly under: readonly string[] | undefined
  readonly pattern: string | undefined
  readonly maxLength: number | undefined
  readonly each: ContractRule | undefined
  readonly members: ArgumentRules | undefined
}

/** Who is asked. */
export interface ApprovalContract {
  readonly folder: string | undefined
  readonly webhook: { readonly url: string; readonly secretEnv: string } | undefined
  readonly mode: 'wait' | 'retry'
  readonly timeoutMs: number
}

/** Where the log goes. */
export interface AuditContract {
  readonly file: string
  readonly durability: 'commit' | 'interval' | 'os'
  readonly signing: { readonly key: string; readonly origin?: string } | undefined
  readonly rotation:
    | {
        readonly maxBytes?: number
        readonly maxAgeMs?: number
        readonly keepSegments?: number
        readonly keepMs?: number
      }
    | undefined
}

/** A contract file, read: every default is in it. Paths are as they were written. */
export interface Contract {
  readonly server: string
  readonly identity: string
  readonly user: string
  readonly task: string | undefined
  readonly budget: Budget
  readonly loops: boolean
  /** The tools that may be called, by their names on the server. */
  readonly tools: ReadonlyMap<string, ToolContract>
  /** The tools that are named and may not be called. */
  readonly refused: readonly string[]
  readonly approvals: ApprovalContract | undefined
  readonly audit: AuditContract
  /** The file of accepted definitions; `undefined` where definitions are not pinned. */
  readonly pins: string | undefined
  readonly maxMessageBytes: number
}
