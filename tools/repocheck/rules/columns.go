package rules

// MaxColumns is the most columns that a line of prose may have.
const MaxColumns = 100
