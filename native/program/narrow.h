// What follows the last step in which rows meet (the last attention) is wanted for a few rows of a prompt only: those
// whose logits are. There a program gets a second end, which brings these rows together first.
#pragma once

#include "program.h"

namespace quoth {

// Makes `program.narrow_end`, where its steps allow it: then `gather_outputs` stands as early as it can, and what
// follows it has rows of outputs. A row's result does not depend on which others are there, so both ends give the same.
void narrow(Program& program);

}  // namespace quoth
