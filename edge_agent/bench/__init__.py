"""`hadir bench …`: what the product costs on this machine, in figures that anybody can measure again."""
