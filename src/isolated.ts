export { type IsolatedTool, isolated } from './isolated/isolated.js'
export type { IsolatedOptions } from './isolated/options.js'
export { type CrashReason, ToolCrashed } from './isolated/tool-crashed.js'
export { ToolKilled } from './isolated/tool-killed.js'
