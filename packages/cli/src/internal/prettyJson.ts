/**
 * Sets JSON out in lines without reading its values: a number with twenty
 * digits, or a field that is there twice, stays as the server wrote it.
 */

const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** `undefined` for what is no JSON. */
export const prettyJson = (text: string): string | undefined => {
  if (!isJson(text)) return undefined
  const found = text.match(tokens) ?? []
  let depth = 0
  let pretty = ""
  const breakLine = () => {
    pretty += `\n${"  ".repeat(depth)}`
  }
  found.forEach((token, index) => {
    if (token === "}" || token === "]") {
      depth--
      if (!isOpening(found[index - 1])) breakLine()
      pretty += token
      return
    }
    if (isOpening(found[index - 1])) breakLine()
    pretty += token === ":" ? ": " : token
    if (token === ",") breakLine()
    if (isOpening(token)) depth++
  })
  return pretty
}

const isOpening = (token: string | undefined): boolean => token === "{" || token === "["
