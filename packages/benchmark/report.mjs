/** Each part runs in a process of its own and hands its rows to `main.mjs`, or prints them. */
export const report = (rows) => process.send === undefined ? console.table(rows) : process.send(rows)
