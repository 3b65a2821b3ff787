package sallyport

// Code is a stable error code on pages, in problems and in the log. Families:
// 1xxx first factor, 2xxx verification, 3xxx registration, 4xxx access,
// 5xxx session, 7xxx upstream, 9xxx the gateway itself. docs/errors.md says for
// each what the user and the admin should do.
type Code string

// The codes. Their texts for users are in the catalogues of package web, keyed
// by the code.
const (
	CodeSignInFailed        Code = "SP-1001" // unknown, wrong, disabled or locked: one text for all
	CodeSignInThrottled     Code = "SP-1002"
	CodeProviderRefused     Code = "SP-1003" // the OIDC provider answered with an error or a wrong token
	CodeProviderUnavailable Code = "SP-1004"
	CodeAccountNotLinked    Code = "SP-1005" // the name belongs to another account; an admin must link
	CodePasswordExpired     Code = "SP-1006" // these four only after a correct password
	CodePasswordMustChange  Code = "SP-1007"
	CodeAccountExpired      Code = "SP-1008"
	CodeAccountDisabled     Code = "SP-1009"
	CodeAccountLockedThere  Code = "SP-1010"

	CodeWrongCode             Code = "SP-2001"
	CodeUsedCode              Code = "SP-2002"
	CodeVerificationLocked    Code = "SP-2003"
	CodeNoMethod              Code = "SP-2004"
	CodeVerificationThrottled Code = "SP-2005"

	CodeRegistrationExpired Code = "SP-3001"
	CodeRegistrationCode    Code = "SP-3002"
	CodeTooManyMethods      Code = "SP-3003"
	CodeLastMethod          Code = "SP-3004"
	CodeBadMethodName       Code = "SP-3005"
	CodeRegisterElsewhere   Code = "SP-3006" // a first method, from where registration.require refuses it

	CodeNotAllowed Code = "SP-4001"
	CodeNoRule     Code = "SP-4002"
	CodeUserDenied Code = "SP-4003" // sign-in disabled for this user

	CodeSessionExpired Code = "SP-5001"
	CodeFlowExpired    Code = "SP-5002" // or begun in another browser
	CodeForgedForm     Code = "SP-5003" // CSRF
	CodeHandoff        Code = "SP-5004"
	CodeBadReturn      Code = "SP-5005"
	CodeSignInNeeded   Code = "SP-5006" // for clients that are not browsers

	CodeUpstreamUnreachable Code = "SP-7001"
	CodeUpstreamTimeout     Code = "SP-7002"
	CodeUpstreamTLS         Code = "SP-7003"
	CodeUpstreamDown        Code = "SP-7004" // no healthy upstream
	CodeMaintenance         Code = "SP-7005"
	CodeUpstreamBroken      Code = "SP-7006" // an answer that is not HTTP, or too large a header

	CodeInternal         Code = "SP-9001"
	CodeStoreUnavailable Code = "SP-9002"
	CodeBadRequest       Code = "SP-9003" // ambiguous path, header or form
	CodeMisdirected      Code = "SP-9004"
	CodeNotFound         Code = "SP-9005"
	CodeTooLarge         Code = "SP-9006"
	CodeWrongMethod      Code = "SP-9007"
	CodeTooMany          Code = "SP-9008"
)
