module github.com/sojourn-go/sojourn/compat/beside

go 1.26

require (
	github.com/gkong/go-qweb v0.0.3
	github.com/julienschmidt/httprouter v1.3.0
	github.com/sojourn-go/sojourn v0.0.0
	github.com/sojourn-go/sojourn/compat/qsess v0.0.0
	github.com/sojourn-go/sojourn/compat/qsess/qctxhr v0.0.0
	github.com/sojourn-go/sojourn/compat/qsess/qsldb v0.0.0
	github.com/syndtr/goleveldb v1.0.1-0.20220721030215-126854af5e6d
)

require (
	github.com/golang/snappy v0.0.4 // indirect
	github.com/sojourn-go/sojourn/leveldbstore v0.0.0 // indirect
)

replace (
	github.com/sojourn-go/sojourn => ../../
	github.com/sojourn-go/sojourn/compat/qsess => ../qsess
	github.com/sojourn-go/sojourn/compat/qsess/qctxhr => ../qsess/qctxhr
	github.com/sojourn-go/sojourn/compat/qsess/qsldb => ../qsess/qsldb
	github.com/sojourn-go/sojourn/leveldbstore => ../../leveldbstore
)
