package web

import "sallyport"

// errorDocs is the table behind docs/errors.md, in the order of the codes.
func errorDocs() []errorDoc {
	return append(append(signInDocs(), accessDocs()...), gatewayDocs()...)
}

func signInDocs() []errorDoc {
	return []errorDoc{
		{sallyport.CodeSignInFailed, "The name is unknown, the password is wrong, or the account is disabled or locked. All four look the same on purpose: nobody can find out names by trying.",
			"Look for `sign-in.password` in the audit log; its reason says which of the four it was. For a locked person, `sallyport user unlock`."},
		{sallyport.CodeSignInThrottled, "One address or one person tried to sign in more often than `mfa.throttle` allows.",
			"If many people share an address (a proxy, a VPN), raise `mfa.throttle.per_address`, and check that `server.trusted_proxies` names the balancer in front. Otherwise look for guessing in the audit log."},
		{sallyport.CodeProviderRefused, "The OpenID provider answered with an error, or with a token that did not pass the checks (issuer, audience, nonce, signature, times).",
			"The log has the cause. Usual ones: a wrong `client_id` or secret, an `issuer` that differs by a slash, clocks that are minutes apart, a person who is not assigned to the application there."},
		{sallyport.CodeProviderUnavailable, "The directory or the OpenID provider could not be asked. Nobody was let in for that reason.",
			"Check that the gateway reaches it (name, port, firewall, certificate). The log names providers that are away each time `/readyz` is asked."},
		{sallyport.CodeAccountNotLinked, "Somebody signed in at a provider for the first time under a name or address that a user already has. Names never link accounts.",
			"When both belong to the same person, link them with `sallyport user link`; the audit event `sign-in.federated` or `sign-in.password` names provider, issuer and subject."},
		{sallyport.CodePasswordExpired, "The directory accepted the password and said that it has expired.", "Let the person change it where passwords are changed in your organisation."},
		{sallyport.CodePasswordMustChange, "The directory accepted the password and demands a new one first.", "Let the person change it, or clear “must change password at next logon” in the directory."},
		{sallyport.CodeAccountExpired, "The directory accepted the password and said that the account has expired.", "Extend the account in the directory, if the person should still have it."},
		{sallyport.CodeAccountDisabled, "The directory accepted the password and said that the account is disabled.", "Enable the account in the directory, if the person should have it."},
		{sallyport.CodeAccountLockedThere, "The directory accepted the password and said that the account is locked there.", "Unlock it in the directory. Sallyport’s own locks have another code and are lifted by `sallyport user unlock`."},

		{sallyport.CodeWrongCode, "The verification code is not right. It was counted, unless it can be no code at all, such as one with a letter or a digit too few.", "If it happens to one person again and again, the clock of their phone is off; if to many, check the clock of the gateway."},
		{sallyport.CodeUsedCode, "The code is right, but it, or a newer one, was used already. Codes work once.", "Nothing. If the person did not use it themselves, somebody may be reading their codes: revoke their sessions and let them register again."},
		{sallyport.CodeVerificationLocked, "Too many wrong codes in a row (`mfa.lockout`). Only this lane is locked: the remembered device, trusted addresses, or everything else.",
			"Wait, or `sallyport user unlock`. The audit event `user.lockout` says where the attempts came from."},
		{sallyport.CodeNoMethod, "Policy demands a verification, and the person has no method that is switched on.",
			"Check `mfa.methods`. To let the person register again, `sallyport user require-reregister`."},
		{sallyport.CodeVerificationThrottled, "One address or one person tried more codes than `mfa.throttle` allows in a minute.", "As for SP-1002."},

		{sallyport.CodeRegistrationExpired, "A registration was not completed in 15 minutes, or its form was sent from another session.", "Nothing: nothing was stored."},
		{sallyport.CodeRegistrationCode, "The code typed back during a registration is not the one that the new app should show.", "As for SP-2001; some apps also need the account to be scanned again after a failed attempt."},
		{sallyport.CodeTooManyMethods, "The person has five authenticator apps, the most there can be.", "Nothing: the person deletes one in their security info."},
		{sallyport.CodeLastMethod, "The person’s state (`enabled` or `enforced`) demands a verification method, and this was the last one.",
			"For a lost phone, `sallyport user require-reregister`. To take the demand away, `sallyport user set-state NAME disabled`."},
		{sallyport.CodeBadMethodName, "A name is empty, longer than 64 characters, or has invisible characters.", "Nothing."},
		{sallyport.CodeRegisterElsewhere, "Somebody who has no method yet wanted to register one, and `registration.require` asks for a trusted location (`mfa.trusted_ips`, or an entry of `locations` with `trusted: true`). The address was none, or could not be told.",
			"Let the person register from there, on the security-info page (`/.sallyport/security-info` of the portal). If they were there, `sallyport explain --correlation ID` shows the address that the gateway saw: add it, or correct `server.trusted_proxies`."},
	}
}

func accessDocs() []errorDoc {
	return []errorDoc{
		{sallyport.CodeNotAllowed, "The person proved who they are, and the route’s `allow` names neither them nor one of their groups.",
			"`sallyport explain --user NAME --url URL` shows the decision with every reason. Groups are read at sign-in: after a change in the directory the person signs in again."},
		{sallyport.CodeNoRule, "No rule lets anybody in here. What is not allowed is denied.", "`sallyport explain --user NAME --url URL` shows why; give the route an `allow`, or list the path under `public`."},
		{sallyport.CodeUserDenied, "Sign-in is disabled for this user in Sallyport.", "`sallyport user show NAME` shows it; the audit log has who did it and why."},

		{sallyport.CodeSessionExpired, "The session reached `session.idle` or `session.absolute`, or was signed out or revoked.", "Nothing, or raise the limits if people complain."},
		{sallyport.CodeFlowExpired, "A sign-in lasted longer than 15 minutes, was finished before (the back button), or was continued in another browser than it began in.",
			"Nothing. If it happens to many, something in front of the gateway drops or mixes up cookies."},
		{sallyport.CodeForgedForm, "A form came from another site, without the cookie of the browser it was drawn for, or with a token of another one.",
			"If it happens on your own pages, a proxy in front changes the `Host` or `Origin` header, or `server.portal` is not the name that browsers use."},
		{sallyport.CodeHandoff, "The one-time code that carries a sign-in from the portal to an application was used, is older than 60 seconds, or came from another browser.",
			"Once is harmless (a reload, a link opened twice). If it happens to all, the application’s host loses its cookies, or the clocks of several nodes differ."},
		{sallyport.CodeBadReturn, "The address to return to after sign-in is not on a configured route.", "Check the link that led there; only hosts of `routes` are accepted."},
		{sallyport.CodeSignInNeeded, "A program, not a browser, asked for something that needs a signed-in user.", "Programs cannot sign in here; list what they need under the route’s `public`, or call the application directly."},
	}
}

func gatewayDocs() []errorDoc {
	return []errorDoc{
		{sallyport.CodeUpstreamUnreachable, "The connection to the application failed: refused, reset, or its name does not resolve.", "Check that the application runs and that `upstream` is right, from the gateway’s machine (`curl -v`)."},
		{sallyport.CodeUpstreamTimeout, "The application accepted the request and did not answer in time. It may still have acted on it.", "Look at the application’s own log. If it is slow by nature, raise the route’s time-outs."},
		{sallyport.CodeUpstreamTLS, "The application’s certificate could not be verified, or no common TLS version was found.", "Give its CA in `upstream_tls.ca_file`, or renew its certificate. The log names what did not match."},
		{sallyport.CodeUpstreamDown, "Every upstream of the route fails its health check.", "Check the applications and the route’s `health` settings; the metric `sallyport_upstream_healthy` shows each upstream’s state."},
		{sallyport.CodeMaintenance, "The route is switched to maintenance.", "Switch it back when the work is done."},
		{sallyport.CodeUpstreamBroken, "The application’s answer is not HTTP, or its header is too large.", "The log has the cause; usual ones are a wrong port (TLS where none is expected, or the other way round) and hundreds of cookies."},

		{sallyport.CodeInternal, "Something failed that nobody foresaw.", "Search the log for the request ID and report the cause."},
		{sallyport.CodeStoreUnavailable, "The database could not be read or written. Without it nobody is let in anew.", "Check disk space and permissions of the database file; `/readyz` shows when it is back."},
		{sallyport.CodeBadRequest, "A path, header or form can be read in two ways, or not at all. Such requests are refused, not guessed at.", "The log says what was wrong. If an application depends on such addresses, it needs a change there."},
		{sallyport.CodeMisdirected, "No route has this host name.", "Add the host to a route, or correct the DNS entry that points here."},
		{sallyport.CodeNotFound, "There is no such page of Sallyport.", "Nothing, unless one of your own pages links there."},
		{sallyport.CodeTooLarge, "The request is larger than the limits allow.", "Raise the limit that the log names, if such requests are legitimate."},
		{sallyport.CodeWrongMethod, "The page exists, but not for this HTTP verb.", "Nothing, unless a program of yours calls it."},
		{sallyport.CodeTooMany, "More requests than a limit of the gateway allows.", "Look at who sends them; raise the limit if they are legitimate."},
	}
}
