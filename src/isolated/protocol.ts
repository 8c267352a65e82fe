import type { CrashReason } from './tool-crashed.js'

/** What a tool may know of its call. */
export interface CallFacts {
  readonly callId: string
  readonly session: {
    readonly id: string
    readonly principal: string
    readonly user: string
    readonly task: string | undefined
  }
}

/** What the pool tells the keeper. */
export type Order =
  | { readonly type: 'start'; readonly unit: number }
  | {
      readonly type: 'call'
      readonly unit: number
      readonly call: number
      /** JSON text; `undefined` for no input. */
      readonly input: string | undefined
      readonly facts: CallFacts
      /** Milliseconds after which the keeper ends the unit by itself, should the host be too busy to. */
      readonly leftMs: number
    }
  /** Ends a unit: at once, or `graceMs` after the signal of its call was aborted. */
  | { readonly type: 'stop'; readonly unit: number; readonly graceMs: number }
  | { readonly type: 'ping' }

/** An error of the tool, as text. */
export interface RemoteError {
  readonly name: string
  readonly message: string
  readonly code: string | undefined
  readonly stack: string | undefined
}

/** What the keeper tells the pool. The keeper is ours; what is inside an answer comes from the tool. */
export type Report =
  | { readonly type: 'ready'; readonly unit: number }
  | { readonly type: 'unloadable'; readonly unit: number; readonly error: RemoteError }
  | {
      readonly type: 'answer'
      readonly unit: number
      readonly call: number
      readonly answer:
        | { readonly ok: true; readonly text: string | undefined }
        | { readonly ok: false; readonly error: RemoteError }
        /** An answer that is none, and what is wrong with it. */
        | { readonly ok: 'unusable'; readonly fault: string }
    }
  /** The unit has ended: nothing of it runs any more. Always the last report of a unit. */
  | {
      readonly type: 'gone'
      readonly unit: number
      /** `stopped` when it was ended on purpose. */
      readonly reason: Extract<CrashReason, 'exit' | 'memory'> | 'stopped'
      readonly detail: string
    }
  | { readonly type: 'pong' }
