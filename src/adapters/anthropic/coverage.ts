import { type CoveredEndpoint, covered, type Governance, lookup } from '../metered/coverage.js'

/**
 * What `governedMiddleware` enforces and what it does not, as the adapter itself looks it up: the first line
 * that fits decides. The one that is outside is how a client fetches its own credentials, for all sessions.
 */
export const COVERAGE: readonly CoveredEndpoint[] = covered([
  ['POST', '/v1/messages', 'metered'],
  ['POST', '/v1/messages/count_tokens', 'free'],
  ['POST', '/v1/messages/batches/*/cancel', 'free'],
  ['POST', '/v1/files', 'free'],
  ['POST', '/v1/oauth/token', 'outside'],
  ['GET', '/**', 'free'],
  ['DELETE', '/**', 'free'],
  ['any other', '/**', 'unmetered'],
])

/** How a request is governed, by its method and the path of its URL. */
export const governanceOf: (method: string, path: string) => Governance = lookup(COVERAGE)
