import { type CoveredEndpoint, covered, type Governance, lookup } from '../metered/coverage.js'

/**
 * What `governedFetch` enforces and what it does not, as the adapter itself looks it up: the first line that
 * fits decides.
 */
export const COVERAGE: readonly CoveredEndpoint[] = covered([
  ['POST', '/chat/completions', 'metered'],
  ['POST', '/completions', 'metered'],
  ['POST', '/responses', 'metered'],
  ['POST', '/responses/compact', 'metered'],
  ['POST', '/embeddings', 'metered'],
  ['POST', '/moderations', 'free'],
  ['POST', '/responses/input_tokens', 'free'],
  ['POST', '/responses/*/cancel', 'free'],
  ['POST', '/chat/completions/*', 'free'],
  ['POST', '/conversations', 'free'],
  ['POST', '/conversations/*', 'free'],
  ['POST', '/conversations/*/items', 'free'],
  ['POST', '/files', 'free'],
  ['POST', '/batches/*/cancel', 'free'],
  ['GET', '/**', 'free'],
  ['DELETE', '/**', 'free'],
  ['WebSocket', '/realtime', 'outside'],
  ['WebSocket', '/responses', 'outside'],
  ['any other', '/**', 'unmetered'],
])

/** How a request is governed, by its method and the path of its URL. */
export const governanceOf: (method: string, path: string) => Governance = lookup(COVERAGE)
