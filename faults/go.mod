module github.com/sojourn-go/sojourn/faults

go 1.26.0

replace github.com/sojourn-go/sojourn => ../

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/sojourn-go/sojourn v0.0.0-00010101000000-000000000000
)
