module github.com/sojourn-go/sojourn/compat/qsess/qctxhr

go 1.26

require (
	github.com/julienschmidt/httprouter v1.3.0
	github.com/sojourn-go/sojourn/compat/qsess v0.0.0
)

require github.com/sojourn-go/sojourn v0.0.0 // indirect

replace (
	github.com/sojourn-go/sojourn => ../../../
	github.com/sojourn-go/sojourn/compat/qsess => ../
)
