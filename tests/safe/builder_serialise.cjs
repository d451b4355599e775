// The Transaction Builder's serialisation as safe.md documents it, written for JavaScript: one JSON value a line in, one
// serialisation a line out, itself as JSON text.
const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter((line) => line !== '')
function serialise(value) {
  if (Array.isArray(value)) return '[' + value.map(serialise).join(',') + ']'
  if (value !== null && typeof value === 'object') {
    const keys = Object.keys(value).sort()
    return '{' + JSON.stringify(keys) + keys.map((key) => serialise(value[key]) + ',').join('') + '}'
  }
  return JSON.stringify(value)
}
for (const line of lines) console.log(JSON.stringify(serialise(JSON.parse(line))))
