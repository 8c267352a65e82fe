import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (file: string): string => fileURLToPath(new URL(`./src/${file}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^writ$/, replacement: source('index.ts') },
      { find: /^writ\/verify$/, replacement: source('verify.ts') },
      { find: /^writ\/testing$/, replacement: source('testing.ts') },
      { find: /^writ\/principal$/, replacement: source('principal.ts') },
      { find: /^writ\/isolated$/, replacement: source('isolated.ts') },
      { find: /^writ\/approvals$/, replacement: source('approvals.ts') },
      { find: /^writ\/bedrock$/, replacement: source('adapters/bedrock.ts') },
      { find: /^writ\/openai-agents$/, replacement: source('adapters/openai-agents.ts') },
      { find: /^writ\/google$/, replacement: source('adapters/google.ts') },
      { find: /^writ\/ai-sdk$/, replacement: source('adapters/ai-sdk.ts') },
      { find: /^writ\/langchain$/, replacement: source('adapters/langchain.ts') },
      { find: /^writ\/mcp$/, replacement: source('adapters/mcp.ts') },
      { find: /^writ\/openai$/, replacement: source('adapters/openai.ts') },
      { find: /^writ\/claude-agent$/, replacement: source('adapters/claude-agent.ts') },
      { find: /^writ\/prices$/, replacement: source('adapters/prices.ts') },
      { find: /^writ\/anthropic$/, replacement: source('adapters/anthropic.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    // Checked by the compiler (`npm run types`), not run.
    exclude: ['test/types/**'],
    setupFiles: ['test/support/second-opinion.ts'],
    testTimeout: 20_000,
    pool: 'forks',
    maxWorkers: '100%',
    // Tests that measure heap growth collect garbage themselves.
    execArgv: ['--expose-gc'],
    coverage: {
      include: ['src/**'],
      reporter: ['text', 'html'],
    },
  },
})
