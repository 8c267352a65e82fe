import * as genai2 from '@google/genai'
import * as genai3 from 'genai-3'
import { googleCases, type Sdk } from './google-cases.js'

googleCases('2', genai2)
// The declarations of the two are not of one package; what the tests use of them is the same.
googleCases('3', genai3 as unknown as Sdk)
