type Env = Readonly<Record<string, string | undefined>>
export declare function cacheCompiledCode(env: Env): void
export declare function cacheFolder(env: Env): string | undefined
export declare function isOurs(folder: string): boolean
