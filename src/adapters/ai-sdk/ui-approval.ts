import {
  ApprovalFailure,
  type ApprovalHandler,
  type ApprovalRequest,
  type ApprovalStore,
} from '../../index.js'
import { type Members, membersOf } from '../metered/members.js'
import { currentCall, type SdkCall } from './tool-call.js'

/** What {@link uiApproval} can be told. */
export interface UiApprovalOptions {
  /** Who answers in the UI, as the log has it; the user of the session when absent. */
  readonly by?: string | ((request: ApprovalRequest) => string)
  /** Asked about calls that do not come through the SDK. Without it, they are denied (`approval_unavailable`). */
  readonly otherwise?: ApprovalHandler
  /** Remembers which answers have been used. Default: in the memory of this process alone. */
  readonly store?: ApprovalStore
}

const used = new Set<string>()

/** What this process has used. */
const memory: ApprovalStore = {
  claim: (id) => {
    if (used.has(id)) return false
    used.add(id)
    return true
  },
}

/**
 * The agent's `approve` for tools with `approvals: 'ui'`: takes the answers that the SDK's
 * `tool-approval-response` parts bring. An answer counts once, for the call of that id with that input, and only
 * where somebody was asked.
 *
 * The messages come from whoever chats. Where that is not who may approve, set `experimental_toolApprovalSecret`
 * of the SDK.
 *
 * @throws TypeError for options that are not usable.
 * @example
 * const agent = new Agent({ identity, budget, audit, tools, approve: uiApproval() })
 * await agent.session(user, () => generateText({ model, messages, tools: toTools(agent, { approvals: 'ui' }) }))
 */
export function uiApproval(options: UiApprovalOptions = {}): ApprovalHandler {
  const { by, otherwise, store = memory, ...rest } = options
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw new TypeError(`uiApproval: unknown option ${unknown}`)
  if (otherwise !== undefined && typeof otherwise !== 'function') {
    throw new TypeError('uiApproval.otherwise: expected a function')
  }
  if (typeof membersOf(store)?.['claim'] !== 'function') {
    throw new TypeError('uiApproval.store: expected an object with claim()')
  }
  const handler: ApprovalHandler = async (request, context) => {
    const call = currentCall()
    if (call === undefined || call.name !== request.tool) {
      if (otherwise !== undefined) return otherwise(request, context)
      throw new ApprovalFailure('approval_unavailable', 'the call does not come through the AI SDK')
    }
    const answer = answerTo(call)
    if (answer === undefined) throw new ApprovalFailure('approval_unavailable', 'nobody was asked in the UI')
    const claimed = await store.claim(
      `ai-sdk:${call.options.toolCallId}:${answer.approvalId}`,
      request.expiresAt,
    )
    if (claimed !== true) throw new ApprovalFailure('approval_denied', 'the answer has been used')
    return {
      approved: answer.approved,
      by: typeof by === 'function' ? by(request) : (by ?? request.user),
      digest: request.digest,
      ...(answer.reason === undefined ? {} : { reason: answer.reason }),
    }
  }
  return Object.assign(handler, { kind: 'ai-sdk' })
}

interface UiAnswer {
  readonly approvalId: string
  readonly approved: boolean
  readonly reason?: string
}

/** What was said about a call, in the last of the messages that it came with. */
function answerTo({
  toolName,
  input,
  options: { toolCallId, messages = [] },
}: SdkCall): UiAnswer | undefined {
  const asked = new Set<unknown>()
  let isProposed = false
  for (const part of messages.flatMap((message) => partsOf(message, 'assistant'))) {
    if (part['toolCallId'] !== toolCallId) continue
    if (part['type'] === 'tool-call') {
      isProposed = part['toolName'] === toolName && JSON.stringify(part['input']) === JSON.stringify(input)
    }
    // Version 7 writes down what a policy approved as if somebody had been asked.
    if (part['type'] === 'tool-approval-request' && part['isAutomatic'] !== true)
      asked.add(part['approvalId'])
  }
  if (!isProposed) return undefined
  const answer = partsOf(messages.at(-1), 'tool').find(
    ({ type, approvalId }) => type === 'tool-approval-response' && asked.has(approvalId),
  )
  if (answer === undefined) return undefined
  const { approvalId, approved, reason } = answer
  return {
    approvalId: String(approvalId),
    approved: approved === true,
    ...(typeof reason === 'string' ? { reason } : {}),
  }
}

function partsOf(message: unknown, role: string): readonly Members[] {
  const members = membersOf(message)
  const content = members?.['role'] === role ? members['content'] : undefined
  return (Array.isArray(content) ? content : []).map((part) => membersOf(part) ?? {})
}
