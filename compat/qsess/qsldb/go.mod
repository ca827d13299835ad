module github.com/sojourn-go/sojourn/compat/qsess/qsldb

go 1.26

require (
	github.com/sojourn-go/sojourn v0.0.0
	github.com/sojourn-go/sojourn/compat/qsess v0.0.0
	github.com/sojourn-go/sojourn/leveldbstore v0.0.0
	github.com/syndtr/goleveldb v1.0.1-0.20220721030215-126854af5e6d
)

require github.com/golang/snappy v0.0.4 // indirect

replace (
	github.com/sojourn-go/sojourn => ../../../
	github.com/sojourn-go/sojourn/compat/qsess => ../
	github.com/sojourn-go/sojourn/leveldbstore => ../../../leveldbstore
)
