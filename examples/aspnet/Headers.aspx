<%@ Page Language="C#" MasterPageFile="~/Site.master" Title="TimeTrack - Diagnostics" EnableViewState="false" %>
<%@ Import Namespace="System.Collections.Generic" %>
<%@ Import Namespace="System.Web.Script.Serialization" %>
<script runat="server">
    protected void Page_Load(object sender, EventArgs e)
    {
        SortedDictionary<string, string> headers = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string name in Request.Headers.AllKeys)
            headers[Spell(name)] = Request.Headers[name];
        if (Request.QueryString["format"] == "json")
        {
            Dictionary<string, object> answer = new Dictionary<string, object>();
            answer["headers"] = headers;
            Response.Clear();
            Response.ContentType = "application/json; charset=utf-8";
            Response.Write(new JavaScriptSerializer().Serialize(answer));
            Response.End();
        }
        Rows.DataSource = headers;
        Rows.DataBind();
    }

    // FastCGI hands names over in capitals; spell them as people write them.
    private static string Spell(string name)
    {
        string[] words = name.ToLowerInvariant().Split('-');
        for (int i = 0; i < words.Length; i++)
            if (words[i].Length > 0)
                words[i] = char.ToUpperInvariant(words[i][0]) + words[i].Substring(1);
        return string.Join("-", words);
    }
</script>
<asp:Content ContentPlaceHolderID="Main" runat="server">
  <h1>Diagnostics</h1>
  <p>The request headers as this server received them (<a href="Headers.aspx?format=json">as JSON</a>).</p>
  <asp:Repeater ID="Rows" runat="server">
    <HeaderTemplate><table class="grid" id="headers"><tr><th>Name</th><th>Value</th></tr></HeaderTemplate>
    <ItemTemplate><tr><td><%# Server.HtmlEncode((string)Eval("Key")) %></td><td><%# Server.HtmlEncode((string)Eval("Value")) %></td></tr></ItemTemplate>
    <FooterTemplate></table></FooterTemplate>
  </asp:Repeater>
</asp:Content>
