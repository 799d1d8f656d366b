/**
 * Says what a Schema expected and where, without the value it got: platform's
 * and Schema's own formatters print values.
 */
import type * as ParseResult from "effect/ParseResult"
import type * as AST from "effect/SchemaAST"

interface Mismatch {
  readonly path: string
  readonly expected: string
}

const typeName = (ast: AST.AST): string => {
  switch (ast._tag) {
    case "TypeLiteral":
      return "an object"
    case "TupleType":
      return "an array"
    case "Union":
      return Array.from(new Set(ast.types.map(typeName))).join(" or ")
    case "Refinement":
      return typeName(ast.from)
    case "Transformation":
      return typeName(ast.from)
    case "StringKeyword":
      return "a string"
    case "NumberKeyword":
      return "a number"
    case "BooleanKeyword":
      return "a boolean"
    case "Literal":
      return JSON.stringify(ast.literal) ?? String(ast.literal)
    default:
      return "a value"
  }
}

const join = (path: string, key: ParseResult.Pointer["path"]): string => {
  const keys: ReadonlyArray<PropertyKey> = typeof key === "object" ? Array.from(key) : [key]
  let text = path
  // In a record a key is the server's own text, and may be as secret as a value.
  for (const key of keys) {
    const part = typeof key === "string" && !/^[\w$-]{1,40}$/.test(key) ? "*" : key
    text += typeof part === "number" ? `[${part}]` : `${text === "" ? "" : "."}${String(part)}`
  }
  return text
}

const collect = (issue: ParseResult.ParseIssue, path: string): ReadonlyArray<Mismatch> => {
  switch (issue._tag) {
    case "Pointer":
      return collect(issue.issue, join(path, issue.path))
    case "Composite":
      return (Array.isArray(issue.issues) ? issue.issues : [issue.issues]).flatMap((inner) => collect(inner, path))
    case "Refinement":
      return [{ path, expected: issue.kind === "From" ? typeName(issue.ast) : `a valid ${typeName(issue.ast).replace(/^an? /, "")}` }]
    case "Transformation":
      return collect(issue.issue, path)
    case "Missing":
      return [{ path, expected: "a value" }]
    case "Unexpected":
      return [{ path, expected: "nothing" }]
    default:
      return [{ path, expected: typeName(issue.ast) }]
  }
}

/** The first mismatch: where, and what was expected there. */
export const first = (error: ParseResult.ParseError): Mismatch =>
  collect(error.issue, "")[0] ?? { path: "", expected: "a value" }

export const describe = (error: ParseResult.ParseError): string => {
  const { expected, path } = first(error)
  return path === "" ? expected : `${expected} at ${path}`
}
