export {
  type ConsoleApprovalOptions,
  type ConsoleOutput,
  consoleApproval,
} from './approvals/console.js'
export { type FolderApprovalOptions, folderApproval } from './approvals/folder-approval.js'
export { folderApprovalStore } from './approvals/folder-store.js'
export type { ConsoleInput } from './approvals/terminal-line.js'
export { webhookApproval } from './approvals/webhook.js'
export type {
  ApprovalFetch,
  ApprovalHttpRequest,
  ApprovalHttpResponse,
  WebhookApprovalOptions,
} from './approvals/webhook-settings.js'
