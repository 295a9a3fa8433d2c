import { serveMcp } from '../../local-api/mcp-stdio.ts';
import { version } from '../../version.ts';
import type { Command } from '../command.ts';

export const command: Command = {
  usage: 'mcp',
  summary: 'Lets a program that starts it (Claude Desktop, an editor) search and ask your documents, as an MCP server.',
  options: [],
  minPositionals: 0,
  maxPositionals: 0,
  async run({ profileFolder, signal }) {
    await serveMcp({ profileFolder, version, signal });
    return 0;
  },
};
