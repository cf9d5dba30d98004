/**
 * The parts of SARIF 2.1.0 that code scanning systems read, as a schema: what the standard requires of
 * them, and what GitHub's page on SARIF support asks for besides. It is closed: what is not in it may
 * not be printed. Written here, because the one package with the standard's own schema brings 54 MB of
 * programs; with COFFER_SARIF_SCHEMA=FILE the test reads that one too.
 */
const text = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } }
const level = { enum: ['none', 'note', 'warning', 'error'] }
const position = { type: 'integer', minimum: 1 }

const rule = {
  type: 'object',
  required: ['id', 'shortDescription'],
  properties: {
    id: { type: 'string', minLength: 1 },
    name: { type: 'string' },
    shortDescription: text,
    defaultConfiguration: { type: 'object', properties: { level } },
    properties: {
      type: 'object',
      properties: { tags: { type: 'array', uniqueItems: true, items: { type: 'string' } } },
    },
  },
  additionalProperties: false,
}

const location = {
  type: 'object',
  required: ['physicalLocation'],
  properties: {
    physicalLocation: {
      type: 'object',
      required: ['artifactLocation', 'region'],
      properties: {
        artifactLocation: {
          type: 'object',
          required: ['uri'],
          // RFC 3986, without a colon in the first segment.
          properties: { uri: { type: 'string', pattern: "^(?:file://)?[\\w.~!$&'()*+,;=@/%-]*$" } },
          additionalProperties: false,
        },
        region: {
          type: 'object',
          required: ['startLine', 'startColumn', 'endLine', 'endColumn'],
          properties: {
            startLine: position,
            startColumn: position,
            endLine: position,
            endColumn: position,
          },
          additionalProperties: false,
        },
      },
      additionalProperties: false,
    },
  },
  additionalProperties: false,
}

const result = {
  type: 'object',
  required: ['ruleId', 'message', 'locations', 'partialFingerprints'],
  properties: {
    ruleId: { type: 'string' },
    ruleIndex: { type: 'integer', minimum: 0 },
    level,
    message: text,
    locations: { type: 'array', minItems: 1, items: location },
    partialFingerprints: { type: 'object', additionalProperties: { type: 'string' } },
    properties: { type: 'object' },
  },
  additionalProperties: false,
}

export const SARIF_SCHEMA = {
  type: 'object',
  required: ['version', 'runs'],
  properties: {
    $schema: { type: 'string' },
    version: { const: '2.1.0' },
    runs: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['tool', 'results'],
        properties: {
          tool: {
            type: 'object',
            required: ['driver'],
            properties: {
              driver: {
                type: 'object',
                required: ['name', 'rules'],
                properties: {
                  name: { type: 'string', minLength: 1 },
                  semanticVersion: { type: 'string', pattern: '^\\d+\\.\\d+\\.\\d+' },
                  rules: { type: 'array', uniqueItems: true, items: rule },
                },
                additionalProperties: false,
              },
            },
            additionalProperties: false,
          },
          columnKind: { enum: ['utf16CodeUnits', 'unicodeCodePoints'] },
          results: { type: 'array', items: result },
        },
        additionalProperties: false,
      },
    },
  },
  additionalProperties: false,
}
