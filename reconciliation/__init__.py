"""Does it agree with the bank: payouts and bank lines against what was posted. The room stands; nothing lives in it yet."""
