import { defineConfig } from 'tsup'

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    verify: 'src/verify.ts',
    testing: 'src/testing.ts',
    principal: 'src/principal.ts',
    isolated: 'src/isolated.ts',
    approvals: 'src/approvals.ts',
    anthropic: 'src/adapters/anthropic.ts',
    bedrock: 'src/adapters/bedrock.ts',
    'openai-agents': 'src/adapters/openai-agents.ts',
    google: 'src/adapters/google.ts',
    'ai-sdk': 'src/adapters/ai-sdk.ts',
    langchain: 'src/adapters/langchain.ts',
    mcp: 'src/adapters/mcp.ts',
    openai: 'src/adapters/openai.ts',
    prices: 'src/adapters/prices.ts',
    'claude-agent': 'src/adapters/claude-agent.ts',
    cli: 'src/cli/main.ts',
  },
  tsconfig: 'tsconfig.build.json',
  format: 'esm',
  target: ['es2022', 'node20.19'],
  // Neutral adds no `node:` import of its own: the library also runs where there is no Node. Only the
  // command line imports Node's modules, and those stay as they are written.
  platform: 'neutral',
  external: [/^node:/],
  removeNodeProtocol: false,
  // One copy of every module for all entries, so that an error class is the same in each.
  splitting: true,
  sourcemap: true,
  clean: true,
  dts: {
    entry: {
      index: 'src/index.ts',
      verify: 'src/verify.ts',
      testing: 'src/testing.ts',
      principal: 'src/principal.ts',
      isolated: 'src/isolated.ts',
      approvals: 'src/approvals.ts',
      anthropic: 'src/adapters/anthropic.ts',
      bedrock: 'src/adapters/bedrock.ts',
      'openai-agents': 'src/adapters/openai-agents.ts',
      google: 'src/adapters/google.ts',
      'ai-sdk': 'src/adapters/ai-sdk.ts',
      langchain: 'src/adapters/langchain.ts',
      mcp: 'src/adapters/mcp.ts',
      openai: 'src/adapters/openai.ts',
      'claude-agent': 'src/adapters/claude-agent.ts',
      prices: 'src/adapters/prices.ts',
    },
    // tsup passes `baseUrl`, which TypeScript 6 deprecates.
    compilerOptions: { ignoreDeprecations: '6.0' },
  },
})
