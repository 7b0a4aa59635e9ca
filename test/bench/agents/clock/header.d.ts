export function setClock(time: string | string[] | null | undefined): void;
