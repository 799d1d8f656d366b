/**
 * A terminal obeys control characters: what comes from elsewhere is shown with a
 * mark in their place.
 */
export const visible = (text: string): string => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\ufffd")
