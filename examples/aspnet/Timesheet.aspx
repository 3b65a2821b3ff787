<%@ Page Language="C#" MasterPageFile="~/Site.master" Title="TimeTrack - Time sheet" %>
<%@ Import Namespace="System.Data" %>
<%@ Import Namespace="System.Globalization" %>
<script runat="server">
    // The sort order travels in the view state of the page.
    private string SortOrder
    {
        get { return (string)ViewState["SortOrder"] ?? "Id ASC"; }
        set { ViewState["SortOrder"] = value; }
    }

    protected void Page_Load(object sender, EventArgs e)
    {
        Grid.PageSize = int.Parse(ConfigurationManager.AppSettings["RowsPerPage"]);
        if (!IsPostBack)
            Bind();
    }

    private void Bind()
    {
        DataView view = TimesheetData.Snapshot(Application).DefaultView;
        if (OnlyMine.Checked)
            view.RowFilter = "Person = '" + User.Identity.Name.Replace("'", "''") + "'";
        view.Sort = SortOrder;
        Grid.DataSource = view;
        Grid.DataBind();
        Total.Text = view.Count.ToString();
        Sorted.Text = SortOrder;
    }

    protected void Grid_PageIndexChanging(object sender, GridViewPageEventArgs e)
    {
        Grid.EditIndex = -1;
        Grid.PageIndex = e.NewPageIndex;
        Bind();
    }

    protected void Grid_Sorting(object sender, GridViewSortEventArgs e)
    {
        SortOrder = e.SortExpression + (SortOrder == e.SortExpression + " ASC" ? " DESC" : " ASC");
        Grid.EditIndex = -1;
        Bind();
    }

    protected void Grid_RowEditing(object sender, GridViewEditEventArgs e)
    {
        Grid.EditIndex = e.NewEditIndex;
        Bind();
    }

    protected void Grid_RowCancelingEdit(object sender, GridViewCancelEditEventArgs e)
    {
        Grid.EditIndex = -1;
        Bind();
    }

    protected void Grid_RowUpdating(object sender, GridViewUpdateEventArgs e)
    {
        GridViewRow row = Grid.Rows[e.RowIndex];
        string project = ((TextBox)row.FindControl("Project")).Text;
        string note = ((TextBox)row.FindControl("Note")).Text;
        decimal hours;
        if (!decimal.TryParse(((TextBox)row.FindControl("Hours")).Text, NumberStyles.Number, CultureInfo.InvariantCulture, out hours) || hours <= 0 || hours > 24)
        {
            Message.Text = "Hours must be a number between 0 and 24.";
            return;
        }
        TimesheetData.Change(Application, (int)Grid.DataKeys[e.RowIndex].Value, project, hours, note);
        Grid.EditIndex = -1;
        Message.Text = "Saved.";
        Bind();
    }

    protected void Grid_RowDeleting(object sender, GridViewDeleteEventArgs e)
    {
        TimesheetData.Delete(Application, (int)Grid.DataKeys[e.RowIndex].Value);
        Message.Text = "Deleted.";
        Bind();
    }

    protected void OnlyMine_CheckedChanged(object sender, EventArgs e)
    {
        Grid.PageIndex = 0;
        Grid.EditIndex = -1;
        Bind();
    }
</script>
<asp:Content ContentPlaceHolderID="Main" runat="server">
  <h1>Time sheet</h1>
  <p><asp:CheckBox ID="OnlyMine" runat="server" AutoPostBack="true" Text="Only my entries" OnCheckedChanged="OnlyMine_CheckedChanged" />
     &nbsp; Entries: <span id="total"><asp:Literal ID="Total" runat="server" /></span>,
     sorted by <span id="sorted"><asp:Literal ID="Sorted" runat="server" /></span></p>
  <p id="message"><asp:Label ID="Message" runat="server" CssClass="ok" EnableViewState="false" /></p>
  <asp:GridView ID="Grid" runat="server" CssClass="grid" AutoGenerateColumns="false" DataKeyNames="Id"
      AllowPaging="true" AllowSorting="true" GridLines="None"
      OnPageIndexChanging="Grid_PageIndexChanging" OnSorting="Grid_Sorting"
      OnRowEditing="Grid_RowEditing" OnRowCancelingEdit="Grid_RowCancelingEdit"
      OnRowUpdating="Grid_RowUpdating" OnRowDeleting="Grid_RowDeleting">
    <AlternatingRowStyle CssClass="alt" />
    <PagerStyle CssClass="pager" />
    <Columns>
      <asp:BoundField DataField="Id" HeaderText="No." SortExpression="Id" ReadOnly="true" ItemStyle-CssClass="id" />
      <asp:BoundField DataField="Day" HeaderText="Day" SortExpression="Day" ReadOnly="true" DataFormatString="{0:dd/MM/yyyy}" HtmlEncode="false" />
      <asp:BoundField DataField="Person" HeaderText="Person" SortExpression="Person" ReadOnly="true" />
      <asp:TemplateField HeaderText="Project" SortExpression="Project">
        <ItemTemplate><%# Server.HtmlEncode((string)Eval("Project")) %></ItemTemplate>
        <EditItemTemplate><asp:TextBox ID="Project" runat="server" Text='<%# Eval("Project") %>' Columns="18" /></EditItemTemplate>
      </asp:TemplateField>
      <asp:TemplateField HeaderText="Hours" SortExpression="Hours">
        <ItemTemplate><%# ((decimal)Eval("Hours")).ToString("0.0#", CultureInfo.InvariantCulture) %></ItemTemplate>
        <EditItemTemplate><asp:TextBox ID="Hours" runat="server" Text='<%# ((decimal)Eval("Hours")).ToString("0.0#", CultureInfo.InvariantCulture) %>' Columns="4" /></EditItemTemplate>
      </asp:TemplateField>
      <asp:TemplateField HeaderText="Note">
        <ItemTemplate><%# Server.HtmlEncode((string)Eval("Note")) %></ItemTemplate>
        <EditItemTemplate><asp:TextBox ID="Note" runat="server" Text='<%# Eval("Note") %>' Columns="14" /></EditItemTemplate>
      </asp:TemplateField>
      <asp:CommandField ShowEditButton="true" ShowDeleteButton="true" />
    </Columns>
  </asp:GridView>
</asp:Content>
