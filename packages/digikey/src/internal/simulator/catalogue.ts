/**
 * A part of the simulated catalogue.
 *
 * @since 0.1.0
 * @category models
 */
export interface SimulatedPart {
  readonly manufacturerProductNumber: string
  readonly manufacturer: string
  readonly category: string
  readonly description: string
  readonly packageType: string
  /** In US dollars, for one piece. */
  readonly unitPrice: number
  readonly quantityAvailable: number
  /** Default `"Active"`. */
  readonly status?: "Active" | "Obsolete" | "Last Time Buy" | "Not For New Designs" | undefined
  /** Parts of one family are substitutes for one another. */
  readonly family?: string | undefined
}

export const digiKeyNumber = (part: SimulatedPart): string => `${part.manufacturerProductNumber}-ND`

/** Finds parts by the number of the manufacturer or of DigiKey, in upper or lower case. */
export const partByNumber = (parts: ReadonlyArray<SimulatedPart>): (number: string) => SimulatedPart | undefined => {
  const byNumber = new Map(parts.flatMap((part) => [
    [part.manufacturerProductNumber.toUpperCase(), part],
    [digiKeyNumber(part).toUpperCase(), part]
  ]))
  return (number) => byNumber.get(number.toUpperCase())
}

const part = (
  manufacturerProductNumber: string,
  manufacturer: string,
  category: string,
  description: string,
  packageType: string,
  unitPrice: number,
  quantityAvailable: number,
  rest: Pick<SimulatedPart, "status" | "family"> = {}
): SimulatedPart => ({
  manufacturerProductNumber,
  manufacturer,
  category,
  description,
  packageType,
  unitPrice,
  quantityAvailable,
  ...rest
})

const TI = "Texas Instruments"
const ST = "STMicroelectronics"
const ADI = "Analog Devices Inc."
const MCHP = "Microchip Technology"
const TIMERS = "Clock/Timing - Programmable Timers and Oscillators"
const OP_AMPS = "Linear - Amplifiers - Instrumentation, OP Amps"
const LINEAR_REGULATORS = "PMIC - Voltage Regulators - Linear"
const TRANSCEIVERS = "Interface - Drivers, Receivers, Transceivers"
const MICROCONTROLLERS = "Embedded - Microcontrollers"
const TRANSISTORS = "Transistors - Bipolar (BJT) - Single"
const MOSFETS = "Transistors - FETs, MOSFETs - Single"
const DIODES = "Diodes - Rectifiers - Single"

/**
 * The parts that a simulator knows unless it is told otherwise. Part numbers and manufacturers are
 * real; prices and stock are examples, as they are in DigiKey's sandbox.
 *
 * @since 0.1.0
 * @category fixtures
 */
export const defaultParts: ReadonlyArray<SimulatedPart> = [
  part("NE555P", TI, TIMERS, "IC OSC SINGLE TIMER 100KHZ 8DIP", "Tube", 0.47, 48210, { family: "555" }),
  part("NE555DR", TI, TIMERS, "IC OSC SINGLE TIMER 100KHZ 8SOIC", "Cut Tape (CT)", 0.38, 112450, { family: "555" }),
  part("NE555PWR", TI, TIMERS, "IC OSC SINGLE TIMER 100KHZ 8TSSOP", "Cut Tape (CT)", 0.52, 23810, { family: "555" }),
  part("SE555P", TI, TIMERS, "IC OSC SINGLE TIMER 100KHZ 8DIP, NE555 for -55 to 125 C", "Tube", 1.36, 4120, {
    family: "555"
  }),
  part("TLC555CP", TI, TIMERS, "IC OSC SINGLE TIMER 2.1MHZ 8DIP, CMOS NE555", "Tube", 1.02, 15870, { family: "555" }),
  part("LMC555CN/NOPB", TI, TIMERS, "IC OSC SINGLE TIMER 3MHZ 8DIP, CMOS NE555", "Tube", 1.58, 9340, { family: "555" }),
  part("ICM7555IPAZ", "Renesas Electronics", TIMERS, "IC OSC SINGLE TIMER 1MHZ 8DIP, CMOS NE555", "Tube", 1.94, 2760, {
    family: "555"
  }),
  part("NE556N", TI, TIMERS, "IC OSC DUAL TIMER 100KHZ 14DIP", "Tube", 0.73, 18900),
  part("LM358P", TI, OP_AMPS, "IC OPAMP GP 2 CIRCUIT 8DIP", "Tube", 0.42, 87120, { family: "358" }),
  part("LM358N/NOPB", TI, OP_AMPS, "IC OPAMP GP 2 CIRCUIT 8DIP", "Tube", 1.18, 6640, { family: "358" }),
  part("LM324N", TI, OP_AMPS, "IC OPAMP GP 4 CIRCUIT 14DIP", "Tube", 0.48, 41230),
  part("TL072CP", TI, OP_AMPS, "IC OPAMP JFET 2 CIRCUIT 8DIP", "Tube", 0.85, 36510),
  part("OP07CP", TI, OP_AMPS, "IC OPAMP GP 1 CIRCUIT 8DIP", "Tube", 0.94, 7450),
  part("LM317T", ST, LINEAR_REGULATORS, "IC REG LINEAR POS ADJ 1.5A TO220", "Tube", 0.83, 29400, { family: "317" }),
  part("LM317T/NOPB", TI, LINEAR_REGULATORS, "IC REG LINEAR POS ADJ 1.5A TO220-3", "Tube", 1.99, 5130, {
    family: "317"
  }),
  part("LT1763CS8-5#PBF", ADI, LINEAR_REGULATORS, "IC REG LINEAR 5V 500MA 8SO", "Tube", 7.12, 1840),
  part("MAX232CPE+", ADI, TRANSCEIVERS, "IC TRANSCEIVER FULL 2/2 16DIP", "Tube", 5.26, 3310),
  part("MCP2551-I/P", MCHP, TRANSCEIVERS, "IC TRANSCEIVER HALF 1/1 8DIP", "Tube", 1.34, 8870, {
    status: "Not For New Designs"
  }),
  part("ATMEGA328P-PU", MCHP, MICROCONTROLLERS, "IC MCU 8BIT 32KB FLASH 28DIP", "Tube", 2.89, 17640),
  part("PIC16F877A-I/P", MCHP, MICROCONTROLLERS, "IC MCU 8BIT 14KB FLASH 40DIP", "Tube", 6.17, 4390),
  part("STM32F103C8T6", ST, MICROCONTROLLERS, "IC MCU 32BIT 64KB FLASH 48LQFP", "Tray", 5.91, 12080),
  part("24LC256-I/P", MCHP, "Memory", "IC EEPROM 256KBIT I2C 8DIP", "Tube", 1.16, 26950),
  part("2N3904BU", "onsemi", TRANSISTORS, "TRANS NPN 40V 0.2A TO92-3", "Bulk", 0.23, 154300),
  part("2N2222A", "Central Semiconductor Corp", TRANSISTORS, "TRANS NPN 40V 0.8A TO18", "Bulk", 2.11, 3920),
  part("2N7002", "onsemi", MOSFETS, "MOSFET N-CH 60V 115MA SOT23-3", "Cut Tape (CT)", 0.17, 310220),
  part("1N4148", "onsemi", DIODES, "DIODE STANDARD 100V 200MA DO35", "Cut Tape (CT)", 0.1, 498700),
  part("1N4007-T", "Diodes Incorporated", DIODES, "DIODE STANDARD 1000V 1A DO41", "Cut Tape (CT)", 0.14, 203100),
  part("MC14017BCPG", "onsemi", "Logic - Counters, Dividers", "IC COUNTER/DIVIDER DECADE 16DIP", "Tube", 0.71, 0, {
    status: "Obsolete"
  })
]
