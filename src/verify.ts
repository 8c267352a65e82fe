export { AegrailVerifier, verifyAegrailLog } from './audit/aegrail/verifier.js'
export { EXIT_CODES, type Fault, type LogSource, type Verdict, type VerifyReport } from './audit/verdict.js'
export { LogVerifier, verifyLog } from './audit/verify.js'
