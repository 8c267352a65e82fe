export type {
  ApprovalContract,
  ArgumentRules,
  AuditContract,
  Contract,
  ContractRule,
  RuleData,
  ToolContract,
} from './mcp/contract-file/contract.js'
export {
  type ContractAgent,
  type ContractTool,
  type ContractWorld,
  contractAgent,
} from './mcp/contract-file/contract-agent.js'
export { ContractInvalid, type ContractProblem } from './mcp/contract-file/contract-invalid.js'
export { parseContract } from './mcp/contract-file/parse-contract.js'
export { COVERAGE, type CoveredPart, type Governance } from './mcp/coverage.js'
export { type GovernOptions, govern } from './mcp/govern.js'
export { type McpToolDefinition, mcpTool } from './mcp/mcp-tool.js'
export {
  type McpClient,
  type McpToolExtras,
  type McpToolsOptions,
  mcpTools,
} from './mcp/mcp-tools.js'
export { METHOD_TOOLS } from './mcp/methods.js'
export type { PinCheck, PinVerdict, ServerIdentity } from './mcp/pin-check.js'
export { acceptPins } from './mcp/pins/accept-pins.js'
export { checkPins, type PinStatus } from './mcp/pins/check-pins.js'
export type { Definition } from './mcp/pins/definition.js'
export type { Difference } from './mcp/pins/definition-diff.js'
export { type DefinitionFinding, findingsIn } from './mcp/pins/findings.js'
export { filePins, readPins, writePins } from './mcp/pins/pin-file.js'
export type { Pin, Pins, ServerPins } from './mcp/pins/pins.js'
export { PinsUnreadable } from './mcp/pins/pins-unreadable.js'
export { type ServeToolsOptions, serveTools } from './mcp/serve-tools.js'
export type { JsonRpcMessage, McpTransport, SdkTransport } from './mcp/transport.js'
