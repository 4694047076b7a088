// Makes a component of an ES module: build.mjs SOURCE WIT WORLD OUTPUT. Every
// feature of the engine is off, so that it imports nothing but our world's.
import { writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const [sourcePath, witPath, worldName, output] = process.argv.slice(2);
try {
  const { component } = await componentize({
    sourcePath,
    witPath,
    worldName,
    disableFeatures: ['stdio', 'random', 'clocks', 'http', 'fetch-event'],
  });
  await writeFile(output, component);
} catch (error) {
  console.error(error?.message ?? error);
  process.exitCode = 1;
}
