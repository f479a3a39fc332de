import { defineConfig } from 'vite';

import { thirdPartyNotice } from './third-party-notice.js';

const notice = thirdPartyNotice('THIRD-PARTY.md');

export default defineConfig({
  // Warnings only: the list of outputs is in the repository.
  logLevel: 'warn',
  plugins: [notice.writer],
  worker: {
    format: 'es',
    plugins: () => [notice.collector],
  },
  build: {
    target: 'es2022',
    // Every browser that runs this page knows modulepreload.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // The editor is one large part; splitting it would not make it smaller.
    chunkSizeWarningLimit: 4000,
    rolldownOptions: {
      // React packages mark their files "use client", which means nothing here.
      checks: { moduleLevelDirective: false },
    },
  },
});
