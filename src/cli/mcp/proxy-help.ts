/** What `writ mcp --help` says. */
export const PROXY_HELP: string = `Usage: writ mcp [--config FILE] -- <command> [argument …]
       writ mcp [--config FILE] --url URL [--header "Name: value" …]

Puts an MCP server behind a contract: starts the server, or connects to its URL, and speaks MCP with a client on
standard input and output. The client sees the tools that the contract allows, calls run as it allows them, and
all of it is in the log that it names.

Options:
  --config FILE   the contract; writ.config.json unless it is said
  --url URL       a server behind a URL (streamable HTTP), instead of a command
  --header TEXT   a header of every request to the URL; \${NAME} in it is an environment variable
  -h, --help      this text

Other commands:
  writ mcp init -- <command>   ask a server for its tools, and write a contract that allows what only reads
  writ mcp pins                the definitions of tools that were accepted, and what has changed
  writ mcp accept <tool …>     accept the definitions of tools as they are now
  writ mcp approve <folder>    the calls that wait for an approval in a folder, and the answer to one

Exit status:
  0   the client has left
  64  the command line is wrong
  69  the server cannot be started, or has ended
  70  an error in this program
  78  the contract cannot be used, or its log not be written
`
