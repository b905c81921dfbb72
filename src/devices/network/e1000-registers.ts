/**
 * Registers of Intel's 8254x ("PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual", chapter 13), and those
 * that the 82574 has beside them (its data sheet, chapter 10).
 */
export const CTRL = 0x0000;
export const STATUS = 0x0008;
export const EECD = 0x0010;
export const EERD = 0x0014;
export const CTRL_EXT = 0x0018;
export const MDIC = 0x0020;
export const VET = 0x0038;
export const ICR = 0x00c0;
export const ITR = 0x00c4;
export const ICS = 0x00c8;
export const IMS = 0x00d0;
export const IMC = 0x00d8;
export const EIAC = 0x00dc;
export const IAM = 0x00e0;
export const IVAR = 0x00e4;
export const EITR = 0x00e8;
export const RCTL = 0x0100;
export const TCTL = 0x0400;
export const PBA = 0x1000;
export const PSRCTL = 0x2170;
export const RDBAL = 0x2800;
export const RDBAH = 0x2804;
export const RDLEN = 0x2808;
export const RDH = 0x2810;
export const RDT = 0x2818;
export const TDBAL = 0x3800;
export const TDBAH = 0x3804;
export const TDLEN = 0x3808;
export const TDH = 0x3810;
export const TDT = 0x3818;
/** From a queue's registers to the next one's. */
export const QUEUE_SHIFT = 8;
export const QUEUE_BYTES = 1 << QUEUE_SHIFT;
/** The registers of all queues of a kind begin at a multiple of this, and are within it. */
export const QUEUES_BYTES = 0x800;
export const STATISTICS = 0x4000;
export const STATISTICS_END = 0x4100;
export const GPRC = 0x4074;
export const GPTC = 0x4080;
export const GORCL = 0x4088;
export const GOTCL = 0x4090;
export const TORL = 0x40c0;
export const TOTL = 0x40c8;
export const TPR = 0x40d0;
export const TPT = 0x40d4;
export const RXCSUM = 0x5000;
export const RFCTL = 0x5008;
export const MTA = 0x5200;
export const RAL0 = 0x5400;
export const RAH0 = 0x5404;
export const VFTA = 0x5600;
export const MRQC = 0x5818;
export const RETA = 0x5c00;
export const RSSRK = 0x5c80;
export const SYSTIML = 0xb600;
export const SYSTIMH = 0xb604;
export const TIMINCA = 0xb608;

export const REGISTER_BYTES = 0x20000;
/** What of them holds something. */
export const REGISTERS = 0x8000 / 4;

// CTRL
export const CTRL_GIO_MASTER_DISABLE = 0x04;
export const CTRL_SLU = 0x40;
export const CTRL_RST = 0x04000000;
export const CTRL_VME = 0x40000000;
export const CTRL_PHY_RST = 0x80000000;
// STATUS: full duplex, link up, 1000 Mb/s
export const STATUS_FD = 0x01;
export const STATUS_LU = 0x02;
/** Transmission is paused. */
export const STATUS_TXOFF = 0x10;
export const STATUS_1000 = 0x80;
export const STATUS_GIO_MASTER = 0x80000;
// CTRL_EXT
export const CTRL_EXT_IAME = 0x08000000;
// EECD
export const EECD_SK = 0x01;
export const EECD_CS = 0x02;
export const EECD_DI = 0x04;
export const EECD_DO = 0x08;
export const EECD_REQ = 0x40;
export const EECD_GNT = 0x80;
export const EECD_PRES = 0x100;
export const EECD_AUTO_RD = 0x200;
// EERD
export const EERD_START = 0x01;
export const EERD_DONE = 0x10;
export const EERD_DONE_82574 = 0x02;
// MDIC
export const MDIC_WRITE = 0x04000000;
export const MDIC_READ = 0x08000000;
export const MDIC_READY = 0x10000000;
export const MDIC_ERROR = 0x40000000;
// Interrupt causes
export const TXDW = 0x01;
export const TXQE = 0x02;
export const LSC = 0x04;
export const RXDMT0 = 0x10;
export const RXT0 = 0x80;
export const RXQ0 = 0x100000;
export const RXQ1 = 0x200000;
export const TXQ0 = 0x400000;
export const TXQ1 = 0x800000;
export const OTHER = 0x1000000;
export const INT_ASSERTED = 0x80000000;
// RCTL
export const RCTL_EN = 0x02;
export const RCTL_UPE = 0x08;
export const RCTL_MPE = 0x10;
export const RCTL_LPE = 0x20;
export const RCTL_BAM = 0x8000;
export const RCTL_VFE = 0x40000;
export const RCTL_BSEX = 0x2000000;
export const RCTL_SECRC = 0x4000000;
export const RCTL_DTYP_SPLIT = 1;
// RXCSUM: descriptors have the RSS hash in place of the packet's checksum
export const RXCSUM_PCSD = 0x2000;
// MRQC: how many queues, and which hash functions
export const MRQC_QUEUES = 3;
export const MRQC_RSS = 1;
export const MRQC_TCP_IPV4 = 0x10000;
export const MRQC_IPV4 = 0x20000;
export const MRQC_TCP_IPV6_EX = 0x40000;
export const MRQC_IPV6_EX = 0x80000;
export const MRQC_IPV6 = 0x100000;
// RFCTL
export const RFCTL_IPV6_EX_DIS = 0x10000;
export const RFCTL_NEW_IPV6_EXT_DIS = 0x20000;
export const RFCTL_EXTEN = 0x8000;
// TCTL
export const TCTL_EN = 0x02;
// RAH
export const RAH_VALID = 0x80000000;
