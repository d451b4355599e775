// Standard JSON on stdin, standard JSON on stdout; imports are read below the node_modules of the working directory.
const fs = require('fs');
const path = require('path');
const modules = path.join(process.cwd(), 'node_modules');
const solc = require(path.join(modules, process.argv[2]));

function found(name) {
  try {
    return { contents: fs.readFileSync(path.join(modules, name), 'utf8') };
  } catch (problem) {
    return { error: problem.message };
  }
}

process.stdout.write(solc.compile(fs.readFileSync(0, 'utf8'), { import: found }));
