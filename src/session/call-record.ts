import type { ApprovalRequest } from '../contract/approval.js'
import { denialError, deny } from '../contract/decision.js'
import type { RegisteredTool } from '../contract/registry.js'
import type { DispatchRequest } from '../contract/session-types.js'
import type { DenialReason } from '../core/denial-reason.js'
import { own } from '../core/guards.js'
import type { PlainData } from '../core/json.js'
import * as approvals from './approval-payloads.js'
import * as payloads from './call-payloads.js'
import { commitments, NO_COMMITMENTS, withCommitments } from './commitments.js'
import type { SessionCore } from './core.js'
import { type Permit, type Refusal, refuse } from './decide.js'

/**
 * The records of one tool call: a denial, or an intent followed by a result, and after an abandoned call
 * whatever became of it.
 */
export class CallRecord {
  readonly #core: SessionCore
  readonly #id: string
  readonly #members: string
  readonly modelCallId: string | undefined
  #tool: RegisteredTool | undefined
  #startedMs: number | undefined
  #commitments = ''
  #closed = false
  /** What was shown of the input to whoever had to approve it. */
  #shown: string | undefined

  constructor(core: SessionCore, id: string, request: DispatchRequest) {
    this.#core = core
    this.#id = id
    this.modelCallId = own(request, 'id')
    this.#members = payloads.callMembers(id, request.name, this.modelCallId)
  }

  /** Commits to values of an input that passed its schema. What cannot be committed to may not run. */
  commit(verdict: Permit | Refusal): Permit | Refusal {
    const { allowed, tool, input } = verdict
    if (tool?.committed === undefined || !(allowed || verdict.validated)) return verdict
    try {
      this.#commitments = commitments(this.#core, this.#id, tool.committed, input as PlainData)
      return verdict
    } catch (cause) {
      this.#commitments = NO_COMMITMENTS
      return allowed ? refuse(deny(tool.name, 'commit_error'), tool, input, true, cause) : verdict
    }
  }

  /** The call was denied, for this reason. */
  denied(refusal: Refusal, reason: DenialReason): void {
    this.#closed = true
    const { tool, input, validated, decision, detail } = refusal
    const found = own(decision, 'issues')
    const issues = tool === undefined || found === undefined ? '' : payloads.issues(tool, found)
    this.#core.emit(
      'tool_denied',
      payloads.toolDenied(this.#members, reason, this.#args(tool, input, validated), issues + detail),
    )
  }

  /** The call may have its effect from now on, unless it is stopped while its input is redacted. */
  intent({ tool, input }: Permit): void {
    const args = this.#args(tool, input, true)
    if (this.#closed) return
    this.#core.emit('tool_call', payloads.toolCall(this.#members, args))
    this.#tool = tool
  }

  /** What the log shows of the input, made once: what somebody approves is what stands in the log. */
  shown({ tool, input }: Permit): string {
    this.#shown ??= payloads.args(tool, input, true)
    return this.#shown
  }

  /** Somebody is asked to approve the call. */
  approvalRequested(permit: Permit, request: ApprovalRequest, handler: string): void {
    const args = this.shown(permit)
    this.#core.emit('approval_requested', approvals.approvalRequested(this.#members, args, request, handler))
  }

  /** What came of it. */
  approvalDecided(digest: string, decided: approvals.Decided): void {
    const payload = approvals.approvalDecided(this.#id, digest, decided)
    if (decided.outcome === 'aborted') this.#core.note('approval_decided', payload)
    else this.#core.emit('approval_decided', payload)
  }

  /** The approval ran out after the intent was recorded: the tool has not started, and does not. */
  expired(refusal: Refusal): void {
    this.result(false, { error: denialError(refusal.decision) })
  }

  started(): void {
    this.#startedMs = this.#core.agent.clock.monotonicMs()
  }

  get elapsedMs(): number {
    return this.#startedMs === undefined ? 0 : this.#core.agent.clock.monotonicMs() - this.#startedMs
  }

  /** The tool came to an end: with an error, or without. */
  result(returned: boolean, failure: { readonly error: unknown } | undefined): void {
    this.#closed = true
    this.#core.emit('tool_result', this.#result(returned, failure))
  }

  /** The call was stopped from outside: recorded at once, so that it stands before the end of its session. */
  stopped(reason: unknown): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#tool === undefined) {
      this.#core.note(
        'tool_denied',
        payloads.toolDenied(
          this.#members,
          'aborted',
          this.#shown ?? payloads.args(undefined, undefined, false),
          '',
        ),
      )
    } else {
      this.#core.note('tool_result', this.#result(false, { error: reason }))
    }
  }

  /** What an abandoned tool did after all. Its output is dropped. */
  late(returned: boolean, failure: { readonly error: unknown } | undefined): void {
    this.#core.note('tool_result', this.#result(returned, failure, true))
  }

  #args(tool: RegisteredTool | undefined, input: unknown, redactable: boolean): string {
    const args = this.#shown ?? payloads.args(tool, input, redactable)
    return this.#commitments === '' ? args : withCommitments(args, this.#commitments)
  }

  #result(returned: boolean, failure: { readonly error: unknown } | undefined, late?: true): string {
    return payloads.toolResult(this.#id, {
      ok: failure === undefined,
      elapsedMs: this.elapsedMs,
      effect: this.#effect(returned),
      ...(failure === undefined ? {} : { error: failure.error }),
      late: late === true,
    })
  }

  /** Only a tool that returned certainly did what it does; only one that never started certainly did nothing. */
  #effect(returned: boolean): 'occurred' | 'none' | 'unknown' {
    if (this.#tool?.readOnly === true || this.#startedMs === undefined) return 'none'
    return returned ? 'occurred' : 'unknown'
  }
}
