export type { SessionChoice } from './metered/find-session.js'
export { COVERAGE, type CoveredPart, type Governance } from './openai-agents/coverage.js'
export { type GovernAgentOptions, governAgent } from './openai-agents/govern-agent.js'
export {
  type GovernedModelOptions,
  type GovernedProviderOptions,
  governedModel,
  governedProvider,
} from './openai-agents/governed-model.js'
export { fromTool, type ToolExtras, toTools } from './openai-agents/tools.js'
