import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Agent, AuditSink, type Session } from 'writ'
import { type PrincipalClaims, verifyCredential } from 'writ/principal'
import { AUDIENCE, ISSUER, principalBench, TOOLS } from '../support/principals.js'

type Name = keyof typeof TOOLS
const NAMES = Object.keys(TOOLS) as Name[]

const someTools = fc.subarray(NAMES)
/** What one level of nesting is opened with, and what has passed when the next one is. */
const level = fc.record({
  wallMs: fc.option(fc.integer({ min: 1, max: 120_000 }), { nil: undefined }),
  tools: fc.option(someTools, { nil: undefined }),
  passedMs: fc.integer({ min: 0, max: 40_000 }),
})
const wish = fc.record({
  ttlMs: fc.oneof(
    fc.integer({ min: 1000, max: 900_000 }),
    fc.constantFrom(0, -1, 999, 900_001, Number.NaN, 1.5),
  ),
  tools: fc.option(fc.array(fc.constantFrom<string>(...NAMES, 'other', 'toString')), { nil: undefined }),
  passedMs: fc.integer({ min: 0, max: 5_000 }),
})

test('no credential says more than its session was granted', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(level, { minLength: 1, maxLength: 4 }),
      fc.array(wish, { minLength: 1, maxLength: 5 }),
      async (levels, wishes) => {
        const { issuer, clock } = await shared
        const sink = AuditSink.memory()
        const agent = new Agent({
          identity: 'property-bot',
          budget: { toolCalls: 1, depth: 8 },
          tools: TOOLS,
          audit: sink,
          clock,
          credentials: issuer,
        })
        let deadlineMs = Number.POSITIVE_INFINITY
        const principals: string[] = []
        const jtis: string[] = []

        // What fails inside a session that is killed afterwards would be lost.
        const faults: unknown[] = []
        const wishAll = async (s: Session<typeof TOOLS>, granted: readonly Name[]): Promise<void> => {
          for (const { ttlMs, tools, passedMs } of wishes) {
            clock.block(passedMs)
            const nowMs = clock.nowMs()
            const options = {
              audience: AUDIENCE,
              ttlMs,
              ...(tools === undefined ? {} : { tools: tools as Name[] }),
            }
            let token: string
            try {
              token = await s.credential(options)
            } catch {
              continue
            }
            try {
              const claims: PrincipalClaims = await verifyCredential(token, {
                jwks: issuer.jwks(),
                issuer: ISSUER,
                audience: AUDIENCE,
                clock,
                status: ({ jti }) => issuer.isActive(jti),
              })
              expect(claims.tools.filter((name) => !granted.includes(name as Name))).toEqual([])
              expect(claims.tools).toEqual(tools === undefined ? granted : [...new Set(tools)])
              expect(claims.exp * 1000).toBeLessThanOrEqual(Math.min(deadlineMs, nowMs + ttlMs))
              expect(claims.exp).toBeGreaterThan(claims.iat)
              expect(claims.iat * 1000).toBeLessThanOrEqual(nowMs)
              expect(nowMs).toBeLessThan(deadlineMs)
              expect(claims.sub).toBe(s.user)
              const actors: string[] = []
              for (let actor: PrincipalClaims['act'] | undefined = claims.act; actor; actor = actor.act)
                actors.unshift(actor.sub)
              expect(actors).toEqual(principals)
              jtis.push(claims.jti)
            } catch (error) {
              faults.push(error)
            }
          }
        }
        const nest = (rest: typeof levels, user: number): Promise<void> | undefined => {
          const [first, ...inner] = rest
          if (first === undefined) return undefined
          const { wallMs, tools, passedMs } = first
          return agent.session(
            `user-${user}`,
            async (s) => {
              if (wallMs !== undefined) deadlineMs = Math.min(deadlineMs, clock.nowMs() + wallMs)
              principals.push(s.principal)
              await wishAll(s, tools ?? NAMES)
              clock.block(passedMs)
              await nest(inner, user + 1)
            },
            {
              ...(wallMs === undefined ? {} : { budget: { wallMs } }),
              ...(tools === undefined ? {} : { tools }),
            },
          )
        }
        try {
          await nest(levels, 0)
        } catch (error) {
          // A deadline is no fault of what was issued before it.
          if ((error as { code?: string }).code !== 'ERR_BUDGET_EXCEEDED') throw error
        }
        if (faults.length > 0) throw faults[0]
        const recorded = sink.records.filter(({ event }) => event === 'credential_issued')
        expect(recorded.map(({ payload }) => payload['jti'])).toEqual(jtis)
        for (const jti of jtis) expect(issuer.isActive(jti)).toBe(false)
      },
    ),
    { numRuns: 150 },
  )
})

const shared = principalBench()
