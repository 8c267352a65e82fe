export { type ClaudeToolDefinition, claudeTool } from './claude-agent/claude-tool.js'
export { COVERAGE, type CoveredPart } from './claude-agent/coverage.js'
export {
  type ClaudeAgentSdk,
  type GovernedQueryOptions,
  type GovernedQueryParams,
  governedQuery,
} from './claude-agent/governed-query.js'
export { ClaudeOutputRefused } from './claude-agent/tool-hooks.js'
