import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

// A library that a package carries inside says so on the first line of its file.
const BANNER = /^\/\*!? *@license (.+?) *\*\//;
const LICENCE_FILE = /^(licen[cs]e|copying|notice|thirdpartynotices)/i;

/** The folder of the package a module belongs to, or null for our own. */
function packageFolder(moduleId) {
  const match = moduleId.match(/^\0?(.*\bnode_modules\/(?:@[^/]+\/)?[^/]+)\//);
  return match ? path.resolve(match[1]) : null;
}

function readPackage(folder) {
  const { name, version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const texts = readdirSync(folder)
    .filter(file => LICENCE_FILE.test(file))
    .sort()
    .map(file => readFileSync(path.join(folder, file), 'utf8'))
    .map(text => text.replace(/\r\n?/g, '\n').replace(/[ \t]+$/gm, '').trim());
  return { id: `${name} ${version}`, name, version, license, texts };
}

function readBanner(moduleId) {
  return existsSync(moduleId) ? readFileSync(moduleId, 'utf8').match(BANNER)?.[1] : undefined;
}

function render(packages, banners) {
  const holders = new Map();
  for (const { id, texts } of packages) {
    for (const text of texts) {
      holders.set(text, [...(holders.get(text) ?? []), id]);
    }
  }
  const table = packages.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`);
  const sections = [...holders].map(
    ([text, ids]) => `### ${ids.join(', ')}\n\n${text.replace(/^(?=.)/gm, '    ')}`,
  );
  return [
    '# Third-party software in the GraphiQL page',
    'Written by `./build` from the packages whose files are in the built page. Do not edit.',
    ['| Package | Version | Licence |', '| --- | --- | --- |', ...table].join('\n'),
    '## Libraries inside these packages',
    banners.map(banner => `- ${banner}`).join('\n'),
    '## Licence texts',
    ...sections,
  ].join('\n\n').concat('\n');
}

/**
 * Two plugins that share a list of packages: `collector` notes what a bundle
 * is made of (each worker is a bundle of its own), and `writer` does the same
 * for the page and then writes the notice.
 */
export function thirdPartyNotice(file) {
  const folders = new Set();
  const banners = new Set();

  function generateBundle(_options, bundle) {
    const outputs = Object.values(bundle);
    const sources = [
      ...outputs.flatMap(output => Object.keys(output.modules ?? {})),
      ...outputs.flatMap(output => output.originalFileNames ?? []),
      // Style sheets leave no module behind in the chunks.
      ...[...this.getModuleIds()].filter(id => id.endsWith('.css')),
    ];
    for (const source of sources) {
      const folder = packageFolder(source);
      if (!folder || !existsSync(path.join(folder, 'package.json'))) continue;
      folders.add(folder);
      const banner = readBanner(source);
      if (banner) banners.add(banner);
    }
  }

  return {
    collector: { name: 'third-party-collector', generateBundle },
    writer: {
      name: 'third-party-writer',
      apply: 'build',
      generateBundle,
      writeBundle() {
        // One package can be installed in more than one place.
        const packages = new Map([...folders].map(readPackage).map(entry => [entry.id, entry]));
        const sorted = [...packages.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
        writeFileSync(file, render(sorted, [...banners].sort()));
      },
    },
  };
}
