/** Effects of APDUs and what they need. Written by the lead on 21 November: leave it to him. */
export {};
