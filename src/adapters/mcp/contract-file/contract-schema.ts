import { CONTRACT } from './contract-shape.js'
import { type ObjectShape, PLAIN_TEXT, type Shape } from './shape.js'

type Schema = Readonly<Record<string, unknown>>

/**
 * The JSON Schema of a contract file, for editors. It knows every name and every type; what only reading the file
 * shows (a pattern that does not compile, a name that is there twice) it does not.
 *
 * @see JSON Schema draft 2020-12
 */
export function contractSchema(): Schema {
  const definitions: Record<string, Schema> = {}
  const root = objectSchema(CONTRACT, definitions)
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'writ.config.json',
    ...root,
    $defs: definitions,
  }
}

function schemaOf(shape: Shape, definitions: Record<string, Schema>): Schema {
  const description = shape.about
  switch (shape.type) {
    case 'any':
      return { description }
    case 'null':
    case 'boolean':
      return { description, type: shape.type }
    case 'text':
      return {
        description,
        type: 'string',
        minLength: 1,
        maxLength: shape.maxLength,
        pattern: shape.pattern ?? PLAIN_TEXT,
      }
    case 'choice':
      return { description, enum: shape.values }
    case 'integer':
    case 'number':
      return {
        description,
        type: shape.type,
        ...(shape.min === undefined ? {} : { minimum: shape.min, maximum: shape.max }),
      }
    case 'list':
      return {
        description,
        type: 'array',
        items: schemaOf(shape.of, definitions),
        minItems: shape.min,
        maxItems: shape.max,
      }
    case 'object':
      return shape.name === undefined
        ? objectSchema(shape, definitions)
        : { description, $ref: define(shape.name, shape, definitions) }
    case 'either':
      return { description, anyOf: shape.shapes.map((one) => schemaOf(one, definitions)) }
  }
}

/** Where the schema of a named shape stands; made once, so that a shape may hold itself. */
function define(name: string, shape: ObjectShape, definitions: Record<string, Schema>): string {
  if (!Object.hasOwn(definitions, name)) {
    definitions[name] = {}
    definitions[name] = objectSchema(shape, definitions)
  }
  return `#/$defs/${name}`
}

function objectSchema(shape: ObjectShape, definitions: Record<string, Schema>): Schema {
  const { about, members, required, oneOrMoreOf, exactlyOneOf, together, others } = shape
  const having = (name: string): Schema => ({ required: [name] })
  return {
    description: about,
    type: 'object',
    properties: Object.fromEntries(
      Object.entries(members).map(([name, member]) => [name, schemaOf(member(), definitions)]),
    ),
    ...(others === undefined
      ? {}
      : { patternProperties: { [others.pattern]: schemaOf(others.of(), definitions) } }),
    additionalProperties: false,
    ...(required === undefined ? {} : { required }),
    ...(oneOrMoreOf === undefined ? {} : { anyOf: oneOrMoreOf.map(having) }),
    ...(exactlyOneOf === undefined ? {} : { oneOf: exactlyOneOf.map(having) }),
    ...(together === undefined
      ? {}
      : {
          dependentRequired: Object.fromEntries(
            together.map((name) => [name, together.filter((other) => other !== name)]),
          ),
        }),
  }
}
